import { z } from "zod";
import { displayName, hostPattern, httpMethod, id, pathPattern, timestamp } from "./common.ts";

/** What a rule may say today. `manual_approval` and `conditions` answer 422 `not_supported_yet`. */
export const ruleAction = z.enum(["block", "rate_limit", "allow"]);
export type RuleAction = z.infer<typeof ruleAction>;
export const rateLimitWindow = z.enum(["minute", "hour", "day"]);
export type RateLimitWindow = z.infer<typeof rateLimitWindow>;

export const RATE_LIMIT_MAX = 1_000_000;
const rateLimit = z.int().min(1).max(RATE_LIMIT_MAX);

export const rule = z.object({
  id,
  name: z.string(),
  hostPattern: z.string(),
  pathPattern: z.string().nullable(),
  method: z.union([httpMethod, z.array(httpMethod)]).nullable(),
  action: ruleAction,
  enabled: z.boolean(),
  agentId: z.string().nullable(),
  rateLimit: z.number().int().nullable(),
  rateLimitWindow: rateLimitWindow.nullable(),
  scope: z.literal("project"),
  metadata: z.null(),
  conditions: z.null(),
  createdAt: timestamp,
});
export type RuleInfo = z.infer<typeof rule>;

/** Read before `createRule`: says whether the request asks for what is not there yet. */
export const ruleFromTheFuture = z.looseObject({
  action: z.unknown(),
  conditions: z.unknown(),
});

const members = {
  name: displayName,
  hostPattern,
  action: ruleAction,
  enabled: z.boolean(),
  pathPattern: pathPattern.nullish(),
  method: z.union([httpMethod, z.array(httpMethod).min(1)]).nullish(),
  agentId: id.nullish(),
  rateLimit: rateLimit.nullish(),
  rateLimitWindow: rateLimitWindow.nullish(),
};

export const createRule = z.object({ ...members, enabled: z.boolean().default(true) });
export type CreateRule = z.input<typeof createRule>;

export const updateRule = z
  .object(members)
  .partial()
  .refine((value) => Object.keys(value).length > 0, "name at least one member to change");
export type UpdateRule = z.input<typeof updateRule>;

export const updatedRule = rule.extend({ success: z.literal(true) });
