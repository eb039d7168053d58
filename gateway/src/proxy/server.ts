// The HTTP/1.1 servers of the data plane: the outer ones that listen, and the inner one that tunnels are handed to.
import http, { type IncomingMessage, ServerResponse } from "node:http";
import type net from "node:net";
import type { Duplex } from "node:stream";
import { limits } from "../limits.ts";
import { connect, refuseConnect } from "./connect.ts";
import { endWatch, watchDeparture } from "./departure.ts";
import { tunnelOf } from "./intercept.ts";
import { serve } from "./pipeline.ts";
import type { DataPlane, Tunnel } from "./plane.ts";
import { onClientError, onIdle } from "./client-fault.ts";
import { malformed, refusal, renderRefusal } from "./refusal.ts";
import { endAndLinger, recordRefusal, refuse, writeRaw } from "./reply.ts";
import { runningTurn, takeTurn, type Turn } from "./turns.ts";

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
  const onRequest = (request: IncomingMessage, answer: ServerResponse) =>
    takeTurn({ request, answer }, () => serve(plane, request, answer, tunnelOfRequest(request)));
  inner.on("request", onRequest);
  inner.on("checkContinue", onRequest);
  inner.on("checkExpectation", (request, answer) => refuseExpectation(plane, { request, answer }));
  inner.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) =>
    onUpgrade(plane, request, socket, head),
  );
  inner.on("connect", (request: IncomingMessage, socket: Duplex) => {
    const tunnel = tunnelOf(socket) ?? null;
    if (isBusy(socket)) socket.destroy();
    else refuseConnect({ plane, request, socket, tunnel }, malformed("CONNECT inside a tunnel"));
  });
  shared(plane, inner);
}

export function createOuterServer(plane: DataPlane, controlPlane: ControlPlane | null): http.Server {
  const outer = http.createServer(serverOptions);
  const onRequest = (request: IncomingMessage, answer: ServerResponse) =>
    takeTurn({ request, answer }, () => {
      if (request.url?.startsWith("/") !== true) return serve(plane, request, answer, null);
      if (controlPlane === null) return notServedHere(answer);
      controlPlane(request, answer);
    });
  outer.on("request", onRequest);
  outer.on("checkContinue", (request: IncomingMessage, answer: ServerResponse) => {
    if (request.url?.startsWith("/") === true) answer.writeContinue();
    onRequest(request, answer);
  });
  outer.on("checkExpectation", (request, answer) => refuseExpectation(plane, { request, answer }));
  outer.on("connect", (request: IncomingMessage, socket: net.Socket, head: Buffer) => {
    socket.setTimeout(0);
    if (isBusy(socket)) socket.destroy();
    else connect(plane, request, socket, head);
  });
  outer.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (request.url?.startsWith("/") === true && !isBusy(socket))
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
  if (isBusy(request.socket)) return void request.socket.destroy();
  // For a request with a body, which no handshake has, Node hands over a stream of its own.
  if (socket !== request.socket) return refuseBody(plane, request);
  if (head.length > 0) socket.unshift(head);
  const answer = new ServerResponse(request);
  answer.shouldKeepAlive = false;
  answer.assignSocket(socket as net.Socket);
  watchDeparture(socket);
  answer.once("finish", () => {
    endWatch(socket);
    answer.detachSocket(socket as net.Socket);
    endAndLinger(socket);
    answer.emit("close");
  });
  (socket as net.Socket).setTimeout(0);
  takeTurn({ request, answer }, () => serve(plane, request, answer, tunnelOf(socket) ?? null));
}

function refuseBody(plane: DataPlane, request: IncomingMessage): void {
  const tunnel = tunnelOfRequest(request);
  const refused = malformed("A WebSocket handshake has no body");
  recordRefusal({ plane, request, tunnel, agent: tunnel?.identity.agent ?? null }, refused);
  const { status, fields, body } = renderRefusal(refused);
  writeRaw(request.socket, status, fields, body);
}

/** Node gives the bare socket away even while an earlier, pipelined request is being answered on it. */
function isBusy(socket: Duplex): boolean {
  return runningTurn(socket) !== undefined;
}

function refuseExpectation(plane: DataPlane, turn: Turn): void {
  takeTurn(turn, () => {
    const tunnel = tunnelOfRequest(turn.request);
    const agent = tunnel?.identity.agent ?? null;
    refuse({ plane, ...turn, tunnel, agent }, refusal("expectation_failed", { close: true }));
  });
}

function notServedHere(answer: ServerResponse): void {
  const body = JSON.stringify({ error: "Only the proxy is served on this address" });
  answer.writeHead(404, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
  answer.end(body);
}

function tunnelOfRequest(request: IncomingMessage): Tunnel | null {
  return tunnelOf(request.socket) ?? null;
}
