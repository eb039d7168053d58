import { z } from "zod";
import { id, role, timestamp } from "./common.ts";

export const health = z.object({ status: z.literal("ok"), version: z.string(), timestamp });
export const user = z.object({
  id,
  email: z.string(),
  name: z.string(),
  createdAt: timestamp,
  /** ours: the role of the key that asked */
  role,
});
export const apiKey = z.object({ apiKey: z.string() });
export const counts = z.object({ agents: z.int(), secrets: z.int(), rules: z.int(), apps: z.int() });
export const gatewayUrl = z.object({ url: z.string() });

export const apiKeyInfo = z.object({ id, name: z.string(), role, preview: z.string(), createdAt: timestamp });
export const createApiKey = z.object({ name: z.string().trim().min(1).max(255), role });
export const createdApiKey = apiKeyInfo.extend({ apiKey: z.string() });

export const pendingApprovals = z.object({ requests: z.array(z.never()), timeoutSeconds: z.number() });
export const approvalDecision = z.object({ decision: z.enum(["approve", "deny"]) });

/** One row of the audit, as it was hashed. Members depend on `type`. */
export const auditRecord = z.looseObject({
  seq: z.int(),
  type: z.string(),
  at: timestamp,
});
export type AuditRecord = z.infer<typeof auditRecord>;

export const auditQuery = z.object({
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  /** only rows with a smaller sequence number */
  before: z.coerce.number().int().min(1).optional(),
  /** only rows with a larger sequence number, oldest first */
  after: z.coerce.number().int().min(0).optional(),
  agent: z.string().max(64).optional(),
  host: z.string().max(255).optional(),
  type: z.string().max(64).optional(),
  verdict: z.string().max(64).optional(),
});
export const auditPage = z.object({
  records: z.array(auditRecord),
  nextBefore: z.int().nullable(),
  nextAfter: z.int().nullable(),
});

export const auditVerification = z.object({
  valid: z.boolean(),
  /** rows that were read and whose hash was computed again */
  records: z.int(),
  segments: z.int(),
  /** sequence number of the first row that is left; earlier segments were retired */
  fromSeq: z.int().nullable(),
  toSeq: z.int().nullable(),
  /** why the chain does not hold, and where */
  problem: z.string().nullable(),
});
export type AuditVerification = z.infer<typeof auditVerification>;

export const vaultRotation = z.object({
  keyId: z.string(),
  rewrapped: z.int(),
  reencrypted: z.int(),
});
