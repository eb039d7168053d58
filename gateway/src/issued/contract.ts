// Tokens that an origin issues to a call in which a sealed secret was placed.
import type { Credential } from "../model.ts";

export type TokenKind = "access" | "id" | "refresh";

/** RFC 6749 section 5.1, as it stands in an answer. */
export interface FreshToken {
  readonly kind: TokenKind;
  readonly value: string;
  /** null = not told */
  readonly expiresInSeconds: number | null;
}

export interface Issue {
  readonly agentId: string;
  /** the placed credential whose answer it is */
  readonly issuer: Credential;
  /** ids of everything that was placed in the call */
  readonly placedIds: readonly string[];
  readonly tokens: readonly FreshToken[];
}

export interface TokenIssuer {
  /**
   * Keeps the tokens; what comes back are their placeholders, in order. Committed and in use when it returns.
   * @throws when they can't be kept: then the answer must not be passed on
   */
  issue(issue: Issue): readonly string[];
}
