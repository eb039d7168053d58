// What a client does wrong on a connection, below the level of requests: bytes the parser refuses, and silence.
import type { IncomingMessage } from "node:http";
import type net from "node:net";
import type { Duplex } from "node:stream";
import { limits } from "../limits.ts";
import { refuseExchange } from "./exchange.ts";
import { tunnelOf } from "./intercept.ts";
import type { DataPlane } from "./plane.ts";
import { type Refusal, type RefusalCode, refusal, renderRefusal } from "./refusal.ts";
import { recordRefusal, refuse, writeRaw } from "./reply.ts";
import { runningTurn, type Turn } from "./turns.ts";

const PARSER_REFUSALS: Readonly<Record<string, RefusalCode>> = {
  HPE_HEADER_OVERFLOW: "fields_too_large",
  HPE_CHUNK_EXTENSIONS_OVERFLOW: "body_too_large",
  ERR_HTTP_REQUEST_TIMEOUT: "request_timeout",
};

/** The client left, in the middle of a message or between two. */
const LEFT: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE", "HPE_INVALID_EOF_STATE"]);

/** After it the parser can't go on: answered in its turn, and always closed. */
export function onClientError(plane: DataPlane, error: NodeJS.ErrnoException, socket: Duplex): void {
  if (LEFT.has(error.code ?? "") || !socket.writable) return void socket.destroy();
  const refused = refusal(PARSER_REFUSALS[error.code ?? ""] ?? "bad_request", { close: true });
  const running = runningTurn(socket);
  if (running === undefined) return refuseUnreadable(plane, socket, refused);
  if (running.request.complete)
    return afterAnswer(running, socket, () => onClientError(plane, error, socket));
  refuseRunning(plane, socket, { running, refused });
}

/** No byte either way for a while. Waiting for an origin is not idleness; its own time-outs end that. */
export function onIdle(plane: DataPlane, socket: net.Socket): void {
  const running = runningTurn(socket);
  if (running === undefined) return void socket.destroy();
  const { request, answer } = running;
  if (!request.complete && !answer.headersSent) {
    refuseRunning(plane, socket, { running, refused: refusal("request_timeout", { close: true }) });
  } else if (!request.complete || answer.writableNeedDrain) socket.destroy();
  else socket.setTimeout(limits.clientIdleTimeoutMs);
}

interface Fault {
  readonly running: Turn;
  readonly refused: Refusal;
}

/** The fault is in the request that is being served, which may be on record and under way already. */
function refuseRunning(plane: DataPlane, socket: Duplex, { running, refused }: Fault): void {
  const { answer } = running;
  // Ours and whole: it closes the connection by itself.
  if (answer.writableEnded) return;
  if (answer.headersSent) return void socket.destroy();
  if (refuseExchange(answer, refused)) return;
  const tunnel = tunnelOf(socket) ?? null;
  refuse({ plane, ...running, tunnel, agent: tunnel?.identity.agent ?? null }, refused);
}

/** The fault is behind a request that arrived whole: that one gets its answer first. */
function afterAnswer({ answer }: Turn, socket: Duplex, refuseRest: () => void): void {
  if (faulty.has(socket)) return;
  faulty.add(socket);
  socket.pause();
  answer.once("close", refuseRest);
}

/** Node tells of the same fault again with every further packet. */
const faulty = new WeakSet<Duplex>();

function refuseUnreadable(plane: DataPlane, socket: Duplex, refused: Refusal): void {
  if (!socket.writable) return;
  const tunnel = tunnelOf(socket) ?? null;
  recordRefusal({ plane, request: unreadable, tunnel, agent: tunnel?.identity.agent ?? null }, refused);
  const { status, fields, body } = renderRefusal(refused);
  writeRaw(socket, status, fields, body);
}

/** Stands in the record for a request that the parser could not read. */
const unreadable = { method: "", url: "", rawHeaders: [] } as unknown as IncomingMessage;
