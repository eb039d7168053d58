// Interim responses of the origin (RFC 9110 section 15.2) on their way to the client.
import type { IncomingMessage, ServerResponse } from "node:http";
import { limits } from "../limits.ts";
import { scrubFields } from "../scrub/reply.ts";
import type { Scrubber } from "../scrub/scrubber.ts";
import { responseFields } from "./fields.ts";

export interface Interim {
  readonly status: number;
  readonly raw: readonly Buffer[];
  /** how many came for this request, this one included */
  readonly count: number;
  readonly scrubber: Scrubber | null;
}

/** false = more than the origin may send, or a 101 that nobody asked for: the exchange can't go on */
export function relayInterim(
  request: IncomingMessage,
  answer: ServerResponse,
  { status, raw, count, scrubber }: Interim,
): boolean {
  if (status === 101 || count > limits.originInterimResponsesMax) return false;
  if (request.httpVersion === "1.1" && !answer.headersSent) {
    // From Node 26 on; a client that gets none misses nothing that it could not do without.
    const fields = responseFields(raw);
    answer.writeInformation?.(status, scrubber === null ? fields : scrubFields(scrubber, fields));
  }
  return true;
}
