// What went wrong on the way to the origin → the refusal that the client gets.
import { UnreadableTokens } from "../issued/answer.ts";
import { DialError } from "../origin/contract.ts";
import type { Received } from "./receive.ts";
import type { RefusalCode } from "./refusal.ts";

export interface Failure {
  readonly code: RefusalCode;
  readonly message: string;
}

/** The origin used a coding that it was not offered, and that nobody here can undo. */
export class UnsearchableCoding extends Error {}

export function failureOf(error: unknown, { authority }: Received): Failure {
  if (error instanceof DialError) return { code: error.code, message: error.message };
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const { host } = authority;
  if (
    code === "UND_ERR_HEADERS_TIMEOUT" ||
    code === "UND_ERR_BODY_TIMEOUT" ||
    code === "UND_ERR_CONNECT_TIMEOUT"
  ) {
    return { code: "origin_timeout", message: `${host} did not answer in time` };
  }
  if (error instanceof UnsearchableCoding) {
    const message = `The answer of ${host} has a content coding in which the secret could not be found, so it is not passed on`;
    return { code: "origin_protocol_error", message };
  }
  if (error instanceof UnreadableTokens) {
    const message = `The answer of ${host} may carry tokens that could not be exchanged for fake keys, so it is not passed on: ${error.message}`;
    return { code: "origin_protocol_error", message };
  }
  if (isProtocolError(error, code))
    return { code: "origin_protocol_error", message: `The answer of ${host} is not valid HTTP` };
  return { code: "origin_unreachable", message: `${host} closed the connection without an answer` };
}

const PROTOCOL_ERRORS: ReadonlySet<string> = new Set([
  "UND_ERR_HEADERS_OVERFLOW",
  "UND_ERR_RES_CONTENT_LENGTH_MISMATCH",
]);

/** What undici's parser finds has a name but no code; what it says by itself only a message. */
function isProtocolError(error: unknown, code: string): boolean {
  if (!(error instanceof Error)) return false;
  const { name, message } = error;
  return (
    PROTOCOL_ERRORS.has(code) ||
    name === "HTTPParserError" ||
    message === "bad response" ||
    message === "bad upgrade"
  );
}
