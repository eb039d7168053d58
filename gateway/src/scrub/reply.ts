// The answer of an origin that was sent a credential, on its way to the agent: fields, body and trailers without the
// real value. What streams keeps streaming.
import type { ServerResponse } from "node:http";
import type { Transform } from "node:stream";
import { limits } from "../limits.ts";
import { decoderOf } from "./content-coding.ts";
import { type AnswerHead, begin, finish, type OriginReply } from "../proxy/plain-reply.ts";
import type { Scrubber, ScrubStream } from "./scrubber.ts";

export interface ScrubbedReplyParts {
  readonly answer: ServerResponse;
  readonly scrubber: Scrubber;
  readonly method: string;
  /** a body that can't be decoded after all */
  readonly onError: (error: Error) => void;
  /** more of the body may come */
  readonly onDrain: () => void;
}

export function scrubReply(parts: ScrubbedReplyParts): OriginReply {
  let body: Body | null = null;
  return {
    start(head) {
      const fields = scrubFields(parts.scrubber, head.fields);
      body = bodyOf(parts, { ...head, reason: parts.scrubber.text(head.reason), fields });
      return body !== null;
    },
    write: (chunk) => body?.write(chunk) ?? true,
    end: (trailers) => body?.end(scrubFields(parts.scrubber, trailers)),
    resume: () => body?.resume(),
    destroy: () => body?.destroy(),
  };
}

/** Names too: an origin may make one out of anything. */
export function scrubFields(scrubber: Scrubber, fields: readonly string[]): string[] {
  const scrubbed: string[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] as string;
    // A placeholder may hold characters that a name may not.
    scrubbed.push(
      scrubber.text(name) === name ? name : "x-onecli-scrubbed",
      scrubber.text(fields[i + 1] as string),
    );
  }
  return scrubbed;
}

interface Body {
  write(chunk: Buffer): boolean;
  end(trailers: readonly string[]): void;
  resume(): void;
  destroy(): void;
}

function bodyOf(parts: ScrubbedReplyParts, head: AnswerHead): Body | null {
  const hasBody = parts.method !== "HEAD" && head.status !== 204 && head.status !== 304;
  if (!hasBody) return emptyBody(parts, head);
  const decoder = decoderOf(fieldValue(head.fields, "content-encoding"));
  if (decoder === undefined) return null;
  if (decoder !== null) return decodedBody(parts, head, decoder);
  const length = fieldValue(head.fields, "content-length");
  if (length === undefined) return streamedBody(parts, head, false);
  return Number(length) <= limits.scrubHeldBytesMax ? heldBody(parts, head) : streamedBody(parts, head, true);
}

function emptyBody({ answer }: ScrubbedReplyParts, head: AnswerHead): Body {
  begin(answer, head.status, head.reason, head.fields);
  return { ...idle, write: () => true, end: () => void answer.end() };
}

const idle = { resume: () => undefined, destroy: () => undefined };

const ONE_PIECE_BYTES_MAX = 8 * 1024;

/** Small, and its length is known: searched whole, so that the new length can be told. */
function heldBody({ answer, scrubber }: ScrubbedReplyParts, head: AnswerHead): Body {
  const chunks: Buffer[] = [];
  return {
    ...idle,
    write(chunk) {
      chunks.push(chunk);
      return true;
    },
    end() {
      const body = scrubber.whole(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks));
      answer.writeHead(head.status, head.reason, withLength(head.fields, body.length));
      // As text it leaves in one piece with the header section.
      if (body.length <= ONE_PIECE_BYTES_MAX) answer.end(body.toString("latin1"), "latin1");
      else answer.end(body);
    },
  };
}

/** With a length that was told, replacements have the length of what they replace. */
function streamedBody({ answer, scrubber }: ScrubbedReplyParts, head: AnswerHead, sameLength: boolean): Body {
  begin(answer, head.status, head.reason, head.fields);
  const stream = scrubber.stream({ sameLength });
  return {
    ...idle,
    write: (chunk) => send(answer, stream.push(chunk)),
    end: (trailers) => finishStream(answer, stream, trailers),
  };
}

/** What was compressed goes on as it is inside: its length and digest are those of other bytes. */
function decodedBody(parts: ScrubbedReplyParts, head: AnswerHead, decoder: Transform): Body {
  const { answer, scrubber } = parts;
  begin(answer, head.status, head.reason, withoutFields(head.fields, DECODED_AWAY));
  const stream = scrubber.stream({ sameLength: false });
  let ending: readonly string[] = [];
  decoder.on("data", (chunk: Buffer) => {
    if (!send(answer, stream.push(chunk))) decoder.pause();
  });
  decoder.on("drain", parts.onDrain);
  decoder.once("error", parts.onError);
  decoder.once("end", () => finishStream(answer, stream, ending));
  return {
    write: (chunk) => decoder.write(chunk),
    end(trailers) {
      ending = trailers;
      decoder.end();
    },
    resume: () => decoder.resume(),
    destroy: () => decoder.destroy(),
  };
}

const DECODED_AWAY = new Set([
  "content-encoding",
  "content-length",
  "content-md5",
  "digest",
  "content-digest",
]);

function send(answer: ServerResponse, bytes: Buffer): boolean {
  return bytes.length === 0 || answer.write(bytes);
}

function finishStream(answer: ServerResponse, stream: ScrubStream, trailers: readonly string[]): void {
  send(answer, stream.end());
  finish(answer, trailers);
}

/** Several fields of a name are one list (RFC 9110 section 5.3). */
export function fieldValue(fields: readonly string[], name: string): string | undefined {
  let found: string | undefined;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const candidate = fields[i] as string;
    if (candidate.length !== name.length || candidate.toLowerCase() !== name) continue;
    found = found === undefined ? (fields[i + 1] as string) : `${found},${fields[i + 1]}`;
  }
  return found;
}

export function withoutFields(fields: readonly string[], names: ReadonlySet<string>): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    if (!names.has((fields[i] as string).toLowerCase()))
      kept.push(fields[i] as string, fields[i + 1] as string);
  }
  return kept;
}

function withLength(fields: string[], length: number): string[] {
  const told = fieldValue(fields, "content-length");
  if (told === String(length)) return fields;
  return [...withoutFields(fields, new Set(["content-length"])), "Content-Length", String(length)];
}
