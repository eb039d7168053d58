// Answers that the gateway gives itself: refusals and the challenge.
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import type { Agent } from "../model.ts";
import { fieldCount } from "./fields.ts";
import type { DataPlane, Tunnel } from "./plane.ts";
import { describe } from "./receive.ts";
import { type Refusal, refusalKinds, renderRefusal } from "./refusal.ts";

export interface Answer {
  readonly plane: DataPlane;
  readonly request: IncomingMessage;
  readonly answer: ServerResponse;
  readonly tunnel: Tunnel | null;
  readonly agent: Agent | null;
}

/** RFC 9110 section 15.5.8 */
export const CHALLENGE = 'Basic realm="OneCLI Gateway"';

export function refuse(client: Answer, refused: Refusal): void {
  recordRefusal(client, refused);
  answerRefusal(client.request, client.answer, refused);
}

/** Without a record of its own: the exchange has one already. */
export function answerRefusal(request: IncomingMessage, answer: ServerResponse, refused: Refusal): void {
  if (answer.headersSent || answer.destroyed) {
    answer.destroy();
    return;
  }
  const close = refused.close || isUnread(request);
  if (close) closeAfter(answer);
  const { status, fields, body } = renderRefusal({ ...refused, close });
  answer.writeHead(status, fields);
  answer.end(request.method === "HEAD" ? undefined : body);
}

export function challenge({ plane, request, answer }: Answer): void {
  challenged(plane, request, () => answerChallenge(answer));
}

/** Calls `answer` when the challenge is due: a wrong token is a guess, none at all is how clients ask for it. */
export function challenged(plane: DataPlane, request: IncomingMessage, answer: () => void): void {
  const source = sourceOf(request.socket);
  plane.traffic.challenges += 1;
  plane.audit.challenge(source);
  if (fieldCount(request.rawHeaders, "proxy-authorization") === 0) answer();
  else plane.backoff.fail(source, answer);
}

function answerChallenge(answer: ServerResponse): void {
  if (answer.destroyed) return;
  const fields = ["Proxy-Authenticate", CHALLENGE, "Content-Length", "0", "Connection", "close"];
  closeAfter(answer);
  answer.writeHead(407, fields);
  answer.end();
}

export function recordRefusal(
  { plane, request, tunnel, agent }: Omit<Answer, "answer">,
  refused: Refusal,
): void {
  const { refusals } = plane.traffic;
  refusals.set(refused.refused, (refusals.get(refused.refused) ?? 0) + 1);
  plane.audit.refuse({
    ...describe(request, tunnel),
    agentId: agent?.id ?? null,
    agent: agent?.identifier ?? null,
    code: refused.refused,
    status: refusalKinds[refused.refused].status,
    rule: refused.rule,
  });
}

/** A refusal on a socket that has no ServerResponse: malformed requests, CONNECT. */
export function writeRaw(socket: Duplex, status: number, fields: readonly string[], body = ""): void {
  if (socket.destroyed || !socket.writable) return;
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`];
  for (let i = 0; i + 1 < fields.length; i += 2) lines.push(`${fields[i]}: ${fields[i + 1]}`);
  socket.write(`${lines.join("\r\n")}\r\n\r\n${body}`);
  endAndLinger(socket);
}

export function sourceOf(socket: { remoteAddress?: string | undefined }): string {
  return socket.remoteAddress ?? "unix";
}

/** A body that was not read leaves the connection's framing behind; reading it all could take for ever. */
export function isUnread(request: IncomingMessage): boolean {
  const declared = request.headers["content-length"];
  const hasBody =
    request.headers["transfer-encoding"] !== undefined || (declared !== undefined && declared !== "0");
  return hasBody && !request.complete;
}

/** To be called before the answer's end: node:http would destroy the socket at once, see `endAndLinger`. */
export function closeAfter({ socket }: ServerResponse): void {
  if (socket !== null) socket.destroySoon = () => endAndLinger(socket);
}

/** Time for the client to read the answer after the last byte of it was sent. */
const LINGER_MS = 500;

/**
 * The client may still be writing, and bytes that nobody reads turn the close into a reset, which can take the answer
 * from it: they are read and dropped for a while (RFC 9112 section 9.6).
 */
export function endAndLinger(socket: Duplex): void {
  if (socket.destroyed) return;
  socket.end();
  // The parser behind `data` would stop the reading.
  socket.removeAllListeners("data");
  socket.on("data", () => undefined);
  socket.resume();
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}

/** The client left before its request was whole. */
export function isAborted(request: IncomingMessage): boolean {
  return request.destroyed && !request.complete;
}
