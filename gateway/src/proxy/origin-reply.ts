// Which way the origin's answer takes to the client: as it is, searched for what was placed, or read for fresh tokens.
import { UnreadableTokens } from "../issued/answer.ts";
import type { FreshToken } from "../issued/contract.ts";
import { tokenReply } from "../issued/reply.ts";
import type { Credential } from "../model.ts";
import { scrubReply, type ScrubbedReplyParts } from "../scrub/reply.ts";
import type { Credentialed } from "./credential.ts";
import { type OriginReply, PlainReply } from "./plain-reply.ts";
import type { DataPlane } from "./plane.ts";

export type ReplyParts = Pick<ScrubbedReplyParts, "answer" | "onDrain" | "onError">;

export function originReply(
  plane: DataPlane,
  credentialed: Credentialed,
  replyParts: ReplyParts,
): OriginReply {
  const { scrubber, issuer, outgoing } = credentialed;
  const parts = { ...replyParts, method: outgoing.method };
  if (issuer !== null) {
    const issue = (tokens: readonly FreshToken[]) => issueTokens(plane, credentialed, issuer, tokens);
    return tokenReply({ ...parts, scrubber, issue });
  }
  return scrubber === null ? new PlainReply(parts.answer) : scrubReply({ ...parts, scrubber });
}

function issueTokens(
  plane: DataPlane,
  { permitted, placed }: Credentialed,
  issuer: Credential,
  tokens: readonly FreshToken[],
): readonly string[] {
  const agentId = permitted.authenticated.identity.agent.id;
  const placedIds = placed.map(({ id }) => id);
  try {
    return plane.tokens.issue({ agentId, issuer, placedIds, tokens });
  } catch (error) {
    const kind = error instanceof Error ? error.name : "unknown";
    plane.log.error({ secret: issuer.name, kind }, "fresh tokens could not be kept");
    throw new UnreadableTokens("the gateway could not keep them");
  }
}
