// The answer of a token endpoint on its way to the agent: held whole, its tokens kept by the gateway, fake keys in
// their places. What can't be read for certain is refused; a real token never goes on.
import type { ServerResponse } from "node:http";
import type { Transform } from "node:stream";
import { limits } from "../limits.ts";
import { Gathered } from "../proxy/gather.ts";
import { type AnswerHead, type OriginReply, PlainReply } from "../proxy/plain-reply.ts";
import { decoderOf } from "../scrub/content-coding.ts";
import { fieldValue, scrubFields, scrubReply, withoutFields } from "../scrub/reply.ts";
import { createScrubber, type Scrubber } from "../scrub/scrubber.ts";
import { tokenAnswer, UnreadableTokens } from "./answer.ts";
import type { FreshToken } from "./contract.ts";

export interface TokenReplyParts {
  readonly answer: ServerResponse;
  /** null = nothing that was placed can be searched for */
  readonly scrubber: Scrubber | null;
  readonly method: string;
  /** @returns placeholders in the order of the tokens. @throws when they can't be kept */
  readonly issue: (tokens: readonly FreshToken[]) => readonly string[];
  /** the answer is not passed on */
  readonly onError: (error: Error) => void;
  /** more of the body may come */
  readonly onDrain: () => void;
}

export function tokenReply(parts: TokenReplyParts): OriginReply {
  let reply: OriginReply | null = null;
  return {
    start(head) {
      reply = mayCarryTokens(parts.method, head.status) ? heldReply(parts) : otherReply(parts);
      return reply.start(head);
    },
    write: (chunk) => reply?.write(chunk) ?? true,
    end: (trailers) => reply?.end(trailers),
    resume: () => reply?.resume(),
    destroy: () => reply?.destroy(),
  };
}

/** RFC 6749 section 5.1: tokens come with success. RFC 9110 section 6.4.1: what has no content. */
function mayCarryTokens(method: string, status: number): boolean {
  return method !== "HEAD" && status >= 200 && status < 300 && status !== 204;
}

function otherReply({ scrubber, ...parts }: TokenReplyParts): OriginReply {
  return scrubber === null ? new PlainReply(parts.answer) : scrubReply({ ...parts, scrubber });
}

interface Held {
  readonly parts: TokenReplyParts;
  readonly body: Gathered;
  head: AnswerHead | null;
  decoder: Transform | null;
  isOver: boolean;
}

function heldReply(parts: TokenReplyParts): OriginReply {
  const held: Held = { parts, body: new Gathered(), head: null, decoder: null, isOver: false };
  return {
    start(head) {
      held.head = head;
      const decoder = decoderOf(fieldValue(head.fields, "content-encoding"));
      if (decoder === undefined) return false;
      held.decoder = decoder;
      if (decoder !== null) decodeInto(held, decoder);
      return true;
    },
    write(chunk) {
      if (held.decoder !== null) return held.isOver || held.decoder.write(chunk);
      hold(held, chunk);
      return true;
    },
    // Trailers do not go with a Content-Length.
    end: () => (held.decoder === null ? finish(held) : void held.decoder.end()),
    resume: () => undefined,
    destroy: () => void abandon(held),
  };
}

function decodeInto(held: Held, decoder: Transform): void {
  decoder.on("data", (chunk: Buffer) => hold(held, chunk));
  decoder.on("drain", held.parts.onDrain);
  decoder.once("error", () => fail(held, new UnreadableTokens("its content coding is damaged")));
  decoder.once("end", () => finish(held));
}

function hold(held: Held, chunk: Buffer): void {
  if (held.isOver) return;
  if (held.body.length + chunk.length <= limits.scrubHeldBytesMax) held.body.add(chunk);
  else fail(held, new UnreadableTokens(`it is longer than ${limits.scrubHeldBytesMax} bytes`));
}

function fail(held: Held, error: Error): void {
  if (abandon(held)) held.parts.onError(error);
}

/** true = it was under way */
function abandon(held: Held): boolean {
  if (held.isOver) return false;
  held.isOver = true;
  held.body.take();
  held.decoder?.destroy();
  return true;
}

function finish(held: Held): void {
  const { head, parts } = held;
  if (head === null || isOver(held)) return;
  try {
    const { fields, reason, body } = exchanged(parts, head, held.body.take());
    // The change of configuration may have ended this very exchange.
    if (isOver(held)) return;
    parts.answer.writeHead(head.status, reason, [...fields, "Content-Length", String(body.length)]);
    parts.answer.end(body);
    held.isOver = true;
  } catch (error) {
    fail(held, error instanceof Error ? error : new Error("the tokens could not be kept"));
  }
}

function isOver(held: Held): boolean {
  return held.isOver;
}

interface Exchanged {
  readonly fields: readonly string[];
  readonly reason: string;
  readonly body: Buffer;
}

function exchanged(parts: TokenReplyParts, { reason, fields }: AnswerHead, body: Buffer): Exchanged {
  const found = tokenAnswer(fieldValue(fields, "content-type") ?? "", body);
  const placeholders = found === null ? [] : parts.issue(found.tokens);
  const replaced = found === null ? body : found.replaced(placeholders);
  // The tokens once more: they may stand in a field, or under a name that nobody knows.
  const fresh = createScrubber(
    (found?.tokens ?? []).map(({ value }, index) => ({
      value: Buffer.from(value),
      placeholder: placeholders[index] ?? "",
    })),
  );
  return [parts.scrubber, fresh].reduce<Exchanged>(scrubbed, {
    fields: withoutFields(fields, REWRITTEN_AWAY),
    reason,
    body: replaced,
  });
}

function scrubbed(now: Exchanged, scrubber: Scrubber | null): Exchanged {
  if (scrubber === null) return now;
  return {
    fields: scrubFields(scrubber, now.fields),
    reason: scrubber.text(now.reason),
    body: scrubber.whole(now.body),
  };
}

const REWRITTEN_AWAY = new Set([
  "content-encoding",
  "content-length",
  "content-md5",
  "digest",
  "content-digest",
  "repr-digest",
  "etag",
  "trailer",
]);
