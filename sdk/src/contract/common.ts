import { z } from "zod";

/** ISO 8601 in UTC, as `Date.prototype.toISOString` writes it. */
export const timestamp = z.iso.datetime();

export const id = z.string().min(1).max(64);

/** What an agent is called on the wire; the form that published clients send. */
export const identifier = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9-]{0,49}$/,
    "must be 1 to 50 lower-case letters, digits or hyphens and must not start with a hyphen",
  );

export const displayName = z.string().trim().min(1, "must not be empty").max(255, "at most 255 characters");

export const success = z.object({ success: z.literal(true) });

/** The one form of every error: flat, because the published Go client prints only that. */
export const problem = z.object({
  error: z.string(),
  code: z.string().optional(),
  type: z.string().optional(),
  hint: z.string().optional(),
  /** dotted path of the member that was refused, e.g. `injectionConfig.headerName` */
  field: z.string().optional(),
});
export type Problem = z.infer<typeof problem>;

/** What an admin key may do: everything · its own agents, their tokens and approvals · look only. */
export const role = z.enum(["admin", "runner", "read"]);
export type Role = z.infer<typeof role>;

export const httpMethod = z.enum(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);
export type HttpMethod = z.infer<typeof httpMethod>;

export const hostPattern = z
  .string()
  .trim()
  .min(1, "must not be empty")
  .max(1000, "at most 1000 characters")
  .describe("a host name, or `*.` before one; an optional `:port` (443 when absent)");

export const pathPattern = z
  .string()
  .min(1)
  .max(1000, "at most 1000 characters")
  .describe("`*` for all, `/v1/*` for /v1 and below, `/x*` for a prefix, `*` in the middle for one segment");
