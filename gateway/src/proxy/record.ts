// On record before the first byte goes to the origin.
import { randomBytes } from "node:crypto";
import type { OpenResult } from "../audit/contract.ts";
import type { Credential } from "../model.ts";
import { formatAuthority } from "../target/authority.ts";
import type { Credentialed } from "./credential.ts";
import type { DataPlane } from "./plane.ts";
import { type Refusal, refusal } from "./refusal.ts";

declare const recordedMark: unique symbol;

/** A request whose opening row is committed. Made here only; the only thing that can be forwarded. */
export interface Recorded {
  readonly [recordedMark]: true;
  readonly credentialed: Credentialed;
  readonly exchangeId: string;
}

const noNames: readonly string[] = [];

/** Unique over all starts: the random part is this process's own. */
const process96 = randomBytes(12).toString("hex");
let exchanges = 0;

function nextExchangeId(): string {
  exchanges += 1;
  return `${process96}-${exchanges.toString(36)}`;
}

export function record(
  plane: DataPlane,
  credentialed: Credentialed,
  done: (result: Recorded | Refusal) => void,
): void {
  const { authenticated, rule, limits } = credentialed.permitted;
  const { received, identity } = authenticated;
  const exchangeId = nextExchangeId();
  plane.audit.open(
    {
      exchangeId,
      agentId: identity.agent.id,
      agent: identity.agent.identifier,
      tokenId: identity.token.id,
      method: received.method,
      authority: formatAuthority(received.authority),
      path: received.target.path,
      scheme: schemeOf(received.secure, received.isUpgrade),
      rule: rule?.name ?? null,
      secrets: credentialed.placed.length === 0 ? noNames : credentialed.placed.map(nameOf),
      limits,
    },
    (result) => done(result.ok ? ({ credentialed, exchangeId } as unknown as Recorded) : refused(result)),
  );
}

function refused(result: Extract<OpenResult, { ok: false }>): Refusal {
  if (result.code === "audit_unavailable") return refusal("audit_unavailable", { retryAfterSeconds: 1 });
  const { rule, retryAfterSeconds } = result;
  const window = rule.rateLimit?.window ?? "minute";
  return refusal("rate_limited", {
    message: `The rule "${rule.name}" allows ${rule.rateLimit?.count} calls a ${window}. Try again in ${retryAfterSeconds} s.`,
    detail: { limit: rule.rateLimit?.count, window },
    retryAfterSeconds,
    rule: rule.name,
  });
}

function schemeOf(secure: boolean, isUpgrade: boolean): "https" | "http" | "wss" | "ws" {
  if (isUpgrade) return secure ? "wss" : "ws";
  return secure ? "https" : "http";
}

function nameOf(credential: Credential): string {
  return credential.name;
}
