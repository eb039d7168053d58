import { z } from "zod";

export const credentialStub = z.object({ containerPath: z.string(), content: z.string() });

/** A fake key: worthless anywhere else, swapped by the gateway on its own host. */
export const placeholder = z.object({
  secret: z.string(),
  env: z.string().nullable(),
  hostPattern: z.string(),
  value: z.string(),
});
export type Placeholder = z.infer<typeof placeholder>;

export const containerConfig = z.object({
  env: z.record(z.string(), z.string()),
  /** our CA, then the public roots: most variables replace the trust store */
  caCertificate: z.string(),
  caCertificateContainerPath: z.string(),
  credentialStubs: z.array(credentialStub).optional(),
  warnings: z.array(z.string()).optional(),
  placeholders: z.array(placeholder).optional(),
});
export type ContainerConfig = z.infer<typeof containerConfig>;

export const agentNotFound = z.object({
  error: z.string(),
  code: z.literal("AGENT_NOT_FOUND"),
  agentIdentifier: z.string(),
});
