// PEP (NIST SP 800-162): turns a decision into passage or a refusal.
import type { Credential, Rule } from "../model.ts";
import type { Decision } from "../policy/contract.ts";
import { formatAuthority } from "../target/authority.ts";
import type { Authenticated } from "./authenticate.ts";
import type { DataPlane } from "./plane.ts";
import { portProblem } from "./port.ts";
import { type Refusal, refusal } from "./refusal.ts";

declare const permittedMark: unique symbol;

/** A request that policy lets pass. Made here only. */
export interface Permitted {
  readonly [permittedMark]: true;
  readonly authenticated: Authenticated;
  readonly rule: Rule | null;
  readonly limits: readonly Rule[];
  /** to be placed; empty where the way to the origin is not verified TLS */
  readonly credentials: readonly Credential[];
  /** of the snapshot that was asked; under another one the question is asked again before anything leaves */
  readonly revision: number;
}

const none: readonly Credential[] = [];

export function enforce(
  plane: DataPlane,
  authenticated: Authenticated,
  decision: Decision,
): Permitted | Refusal {
  const { received, identity } = authenticated;
  if (plane.stopping) return refusal("gateway_restarting", { retryAfterSeconds: 1, close: true });
  if (plane.policy.stale) return refusal("policy_unavailable", { retryAfterSeconds: 1 });
  // A tunnel's port was looked at when it was opened; a call in absolute form comes here first.
  const closed = portProblem(plane, received.authority);
  if (closed !== null) return closed;
  if (decision.effect === "deny") return denied(plane, authenticated, decision);
  if (!plane.live.mayOpenExchange(identity.agent.id)) return refusal("overloaded", { retryAfterSeconds: 1 });
  // Injection needs TLS to the origin: cleartext would show the real value to whoever listens.
  const credentials = received.secure ? decision.credentials : none;
  const { revision } = plane.policy.current;
  const { rule, limits } = decision;
  return { authenticated, rule, limits, credentials, revision } as unknown as Permitted;
}

/** What is told is the path as it was asked for: the one that leaves may hold a real value. */
export function denied(
  plane: DataPlane,
  { received }: Authenticated,
  decision: Extract<Decision, { effect: "deny" }>,
): Refusal {
  const { method, target } = received;
  const host = formatAuthority(received.authority, received.secure ? 443 : 80);
  const { dashboardUrl } = plane.settings;
  if (decision.code === "blocked_by_policy") {
    return refusal("blocked_by_policy", {
      message: `Blocked by the rule "${decision.rule.name}": ${method} ${target.path} on ${host} is not allowed. Retrying does not help; tell the person you work for.`,
      detail: {
        rule_name: decision.rule.name,
        method,
        path: target.path,
        dashboard_url: `${dashboardUrl}/rules`,
      },
      rule: decision.rule.name,
    });
  }
  const link = `${dashboardUrl}/rules?host=${encodeURIComponent(host)}&path=${encodeURIComponent(target.path)}`;
  return refusal("blocked_by_default_policy", {
    message: `No rule allows ${method} ${target.path} on ${host}. Ask the person you work for to allow it: ${link}`,
    detail: { method, host, path: target.path, dashboard_url: link },
  });
}
