import { z } from "zod";
import { displayName, id, identifier, timestamp } from "./common.ts";

export const secretMode = z.enum(["all", "selective"]);
export const defaultAction = z.enum(["allow", "deny"]);
export type SecretMode = z.infer<typeof secretMode>;
export type DefaultAction = z.infer<typeof defaultAction>;

export const agent = z.object({
  id,
  name: z.string(),
  identifier: z.string(),
  /** masked: `aoc_1234••••••••cdef` */
  accessToken: z.string(),
  isDefault: z.boolean(),
  secretMode,
  /** null = what ONECLI_DEFAULT_ACTION says */
  defaultAction: defaultAction.nullable(),
  createdAt: timestamp,
  _count: z.object({ agentSecrets: z.number().int(), agentAppConnections: z.number().int() }),
});
export type Agent = z.infer<typeof agent>;

export const createAgent = z.object({
  name: displayName,
  identifier,
  parentIdentifier: identifier.optional(),
  defaultAction: defaultAction.optional(),
  secretMode: secretMode.optional(),
});
export type CreateAgent = z.input<typeof createAgent>;

export const createdAgent = agent.pick({ id: true, name: true, identifier: true, createdAt: true });
export type CreatedAgent = z.infer<typeof createdAgent>;

export const updateAgent = z
  .object({
    name: displayName.optional(),
    defaultAction: defaultAction.nullable().optional(),
    secretMode: secretMode.optional(),
  })
  .refine((value) => Object.keys(value).length > 0, "name at least one member to change");

/** What a run's token may be told apart by; rules and grants can name them. */
export const tokenLabels = z.partialRecord(
  z.enum(["group", "channel", "chat", "task"]),
  z.string().min(1).max(255),
);
export type TokenLabels = z.infer<typeof tokenLabels>;

export const createToken = z.object({
  ttlSeconds: z
    .int()
    .min(1)
    .max(30 * 86_400)
    .default(3600),
  labels: tokenLabels.default({}),
});
export const createdToken = z.object({ id, accessToken: z.string(), expiresAt: timestamp });

export const accessToken = z.object({ accessToken: z.string() });
export const setSecretMode = z.object({ mode: secretMode });
export const secretIds = z.array(id);
export const setSecrets = z.object({ secretIds: z.array(id).max(10_000) });
