// What a rule must be before it is kept. What can't be enforced yet is refused, never stored and ignored.
import type { Rule } from "../model.ts";
import type { ApiParts } from "./contract.ts";
import { ApiError, invalid } from "./problem.ts";

/** Looks at the body as it was sent. @throws ApiError 422 */
export function refuseUnsupported(body: unknown): void {
  if (typeof body !== "object" || body === null) return;
  const sent = new Map<string, unknown>(Object.entries(body));
  if (sent.get("action") === "manual_approval") throw notSupportedYet("manual_approval");
  const member = LATER.find((name) => !isEmpty(sent.get(name)));
  if (member !== undefined) throw notSupportedYet(member);
}

/** Members that narrow a rule: one that is stored without them would say more than its author meant. */
const LATER = ["conditions", "validFrom", "validUntil", "schedule"] as const;

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || (Array.isArray(value) && value.length === 0);
}

function notSupportedYet(what: string): ApiError {
  return new ApiError(422, {
    error: `rules with ${what} are not supported yet`,
    code: "not_supported_yet",
    field: what === "manual_approval" ? "action" : what,
  });
}

/** @throws ApiError 400 naming the member */
export function checkRule({ policy, store }: ApiParts, rule: Rule): void {
  const host = policy.validateHostPattern(rule.hostPattern, { forSecret: false });
  if (!host.ok) throw invalid("hostPattern", host.message);
  const path = rule.pathPattern === null ? null : policy.validatePathPattern(rule.pathPattern);
  if (path !== null && !path.ok) throw invalid("pathPattern", path.message);
  if (rule.agentId !== null && store.agents.get(rule.agentId) === undefined) {
    throw invalid("agentId", "there is no agent with this id");
  }
}
