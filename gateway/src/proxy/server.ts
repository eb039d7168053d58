// The HTTP/1.1 servers of the data plane: the outer ones that listen, and the inner one that tunnels are handed to.
import http, { type IncomingMessage, ServerResponse } from "node:http";
import type net from "node:net";
import type { Duplex } from "node:stream";
import { limits } from "../limits.ts";
import { connect, refuseConnect } from "./connect.ts";
import { tunnelOf } from "./intercept.ts";
import { serve } from "./pipeline.ts";
import type { DataPlane, Tunnel } from "./plane.ts";
import { malformed, type RefusalCode, refusal, renderRefusal } from "./refusal.ts";
import { refuse, recordRefusal, writeRaw } from "./reply.ts";

/** API and dashboard; null = this listener is for the proxy alone. */
export type ControlPlane = (request: IncomingMessage, answer: ServerResponse) => void;

const serverOptions: http.ServerOptions = {
  maxHeaderSize: limits.clientHeaderBytesMax,
  headersTimeout: limits.clientHeadersTimeoutMs,
  // Uploads may take long; what counts is that bytes arrive, see onIdle.
  requestTimeout: 0,
  keepAliveTimeout: limits.clientIdleTimeoutMs,
  connectionsCheckingInterval: 5_000,
  insecureHTTPParser: false,
  joinDuplicateHeaders: false,
  // Answered by `receive`, as JSON that says why.
  requireHostHeader: false,
  noDelay: true,
};

/** Never listens. It must be told that it does, or it enforces no time-out on the sockets that it is handed. */
export function createInnerServer(): http.Server {
  const inner = http.createServer(serverOptions);
  inner.emit("listening");
  return inner;
}

export function serveTunnels(plane: DataPlane): void {
  const { inner } = plane;
  const onRequest = (request: IncomingMessage, answer: ServerResponse) => {
    track(request, answer);
    serve(plane, request, answer, tunnelOfRequest(request));
  };
  inner.on("request", onRequest);
  inner.on("checkContinue", onRequest);
  inner.on("checkExpectation", (request, answer) => refuseExpectation(plane, request, answer));
  inner.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) =>
    onUpgrade(plane, request, socket, head),
  );
  inner.on("connect", (request: IncomingMessage, socket: Duplex) => {
    refuseConnect(plane, request, socket, malformed("CONNECT inside a tunnel"));
  });
  shared(plane, inner);
}

export function createOuterServer(plane: DataPlane, controlPlane: ControlPlane | null): http.Server {
  const outer = http.createServer(serverOptions);
  const onRequest = (request: IncomingMessage, answer: ServerResponse) => {
    track(request, answer);
    if (request.url?.startsWith("/") !== true) return serve(plane, request, answer, null);
    if (controlPlane === null) return notServedHere(answer);
    controlPlane(request, answer);
  };
  outer.on("request", onRequest);
  outer.on("checkContinue", (request: IncomingMessage, answer: ServerResponse) => {
    if (request.url?.startsWith("/") === true) answer.writeContinue();
    onRequest(request, answer);
  });
  outer.on("checkExpectation", (request, answer) => refuseExpectation(plane, request, answer));
  outer.on("connect", (request: IncomingMessage, socket: net.Socket, head: Buffer) => {
    socket.setTimeout(0);
    connect(plane, request, socket, head);
  });
  outer.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (request.url?.startsWith("/") === true)
      return writeRaw(socket, 404, ["Content-Length", "0", "Connection", "close"]);
    onUpgrade(plane, request, socket, head);
  });
  shared(plane, outer);
  return outer;
}

function shared(plane: DataPlane, server: http.Server): void {
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) =>
    onClientError(plane, error, socket),
  );
  server.timeout = limits.clientIdleTimeoutMs;
  server.on("timeout", (socket: net.Socket) => onIdle(plane, socket));
}

/** The handshake has no parser behind it any more: its answer is written on the bare socket. */
function onUpgrade(plane: DataPlane, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  socket.on("error", () => socket.destroy());
  if (head.length > 0) socket.unshift(head);
  const answer = new ServerResponse(request);
  answer.shouldKeepAlive = false;
  answer.assignSocket(socket as net.Socket);
  answer.once("finish", () => {
    answer.detachSocket(socket as net.Socket);
    socket.end();
  });
  (socket as net.Socket).setTimeout(0);
  serve(plane, request, answer, tunnelOf(socket) ?? null);
}

function refuseExpectation(plane: DataPlane, request: IncomingMessage, answer: ServerResponse): void {
  const tunnel = tunnelOfRequest(request);
  refuse(
    { plane, request, answer, tunnel, agent: tunnel?.identity.agent ?? null },
    refusal("expectation_failed", { close: true }),
  );
}

function notServedHere(answer: ServerResponse): void {
  const body = JSON.stringify({ error: "Only the proxy is served on this address" });
  answer.writeHead(404, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
  answer.end(body);
}

function tunnelOfRequest(request: IncomingMessage): Tunnel | null {
  return tunnelOf(request.socket) ?? null;
}

const PARSER_REFUSALS: Readonly<Record<string, RefusalCode>> = {
  HPE_HEADER_OVERFLOW: "fields_too_large",
  HPE_CHUNK_EXTENSIONS_OVERFLOW: "body_too_large",
  ERR_HTTP_REQUEST_TIMEOUT: "request_timeout",
};

/** What the parser refused: answered when no answer is under way, and always closed. */
function onClientError(plane: DataPlane, error: NodeJS.ErrnoException, socket: Duplex): void {
  const running = currentOf(socket);
  const canAnswer = error.code !== "ECONNRESET" && socket.writable && running?.answer.headersSent !== true;
  if (!canAnswer) return void socket.destroy();
  answerClientError(plane, error, socket, running);
}

function answerClientError(
  plane: DataPlane,
  error: NodeJS.ErrnoException,
  socket: Duplex,
  running: Current | undefined,
): void {
  const refused = refusal(PARSER_REFUSALS[error.code ?? ""] ?? "bad_request", { close: true });
  const tunnel = tunnelOf(socket) ?? null;
  const agent = tunnel?.identity.agent ?? null;
  recordRefusal({ plane, request: running?.request ?? unreadable, tunnel, agent }, refused);
  const { status, fields, body } = renderRefusal(refused);
  writeRaw(socket, status, fields, body);
  running?.answer.destroy();
}

/** Stands in the record for a request that the parser could not read. */
const unreadable = { method: "", url: "", rawHeaders: [] } as unknown as IncomingMessage;

interface Current {
  readonly request: IncomingMessage;
  readonly answer: ServerResponse;
}
const current = Symbol("current");
type TrackedSocket = Duplex & { [current]?: Current };

function track(request: IncomingMessage, answer: ServerResponse): void {
  (request.socket as TrackedSocket)[current] = { request, answer };
}

function currentOf(socket: Duplex): Current | undefined {
  const found = (socket as TrackedSocket)[current];
  return found === undefined || found.answer.writableFinished ? undefined : found;
}

/** No byte either way for a while. Waiting for an origin is not idleness; its own time-outs end that. */
function onIdle(plane: DataPlane, socket: net.Socket): void {
  const running = currentOf(socket);
  if (running === undefined) {
    socket.destroy();
    return;
  }
  const { request, answer } = running;
  if (!request.complete && !answer.headersSent) {
    const tunnel = tunnelOf(socket) ?? null;
    refuse(
      { plane, request, answer, tunnel, agent: tunnel?.identity.agent ?? null },
      refusal("request_timeout", { close: true }),
    );
  } else if (!request.complete || answer.writableNeedDrain) socket.destroy();
  else socket.setTimeout(limits.clientIdleTimeoutMs);
}
