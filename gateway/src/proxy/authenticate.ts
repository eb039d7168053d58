// Who is asking: the tunnel's agent, or the one that Proxy-Authorization names (RFC 9110 section 11.7).
import { hashToken, proxyCredentials } from "../agents/token.ts";
import type { Identity } from "../policy/contract.ts";
import { fieldCount, fieldValue } from "./fields.ts";
import { isExpired } from "./live.ts";
import type { DataPlane } from "./plane.ts";
import type { Received } from "./receive.ts";

declare const authenticatedMark: unique symbol;

/** A request whose agent is known. Made here only. */
export interface Authenticated {
  readonly [authenticatedMark]: true;
  readonly received: Received;
  readonly identity: Identity;
  readonly tokenHash: string;
}

export function authenticate(plane: DataPlane, received: Received): Authenticated | null {
  const tokenHash = received.tunnel?.tokenHash ?? presentedToken(received.request.rawHeaders);
  const identity = tokenHash === null ? null : identify(plane, tokenHash);
  return identity === null ? null : ({ received, identity, tokenHash } as unknown as Authenticated);
}

/** Hash of the token in the one Proxy-Authorization field; null = none, several, or not readable. */
export function presentedToken(rawHeaders: readonly string[]): string | null {
  if (fieldCount(rawHeaders, "proxy-authorization") !== 1) return null;
  const token = proxyCredentials(fieldValue(rawHeaders, "proxy-authorization") ?? "");
  return token === null ? null : hashToken(token);
}

export function identify(plane: DataPlane, tokenHash: string): Identity | null {
  const identity = plane.policy.current.identify(tokenHash);
  if (identity === undefined || isExpired(identity.token.expiresAt, plane.clock())) return null;
  return identity;
}
