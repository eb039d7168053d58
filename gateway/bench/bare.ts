// Peer: a bare TLS pass of the gateway's own building blocks. No policy, no credential, no record, hardly any field
// handling: what is left is the price of node:http, node:tls and undici.
import { readFileSync } from "node:fs";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import tls from "node:tls";
import { type Dispatcher, Pool } from "undici";
import { answerParent } from "./parent.ts";
import { loopbackLookup, type PeerStart, type PeerStarted } from "./peer.ts";

const ESTABLISHED = "HTTP/1.1 200 Connection Established\r\n\r\n";
const KEEP_ALIVE_MS = 120_000;
const dropped = new Set(["connection", "keep-alive", "transfer-encoding"]);

function start({ authority, caFile, certFile, keyFile }: PeerStart): Promise<PeerStarted> {
  const ca = readFileSync(caFile);
  const pool = new Pool(`https://${authority}`, {
    connections: 256,
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connect: { ca, lookup: loopbackLookup },
  });
  const inner = http.createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, answer) =>
    forward(pool, request, answer),
  );
  const secureContext = tls.createSecureContext({ cert: readFileSync(certFile), key: readFileSync(keyFile) });
  const outer = http.createServer();
  outer.on("connect", (_request: IncomingMessage, socket: Socket) => {
    socket.on("error", () => socket.destroy());
    socket.write(ESTABLISHED);
    const secure = new tls.TLSSocket(socket, { isServer: true, secureContext, ALPNProtocols: ["http/1.1"] });
    secure.on("error", () => secure.destroy());
    inner.emit("connection", secure);
  });
  return new Promise((resolve) => {
    outer.listen(0, "127.0.0.1", () => resolve({ port: (outer.address() as AddressInfo).port, caFile }));
  });
}

function forward(pool: Pool, request: IncomingMessage, answer: ServerResponse): void {
  const { rawHeaders, headers } = request;
  const hasBody = headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined;
  const options: Dispatcher.DispatchOptions = {
    path: request.url ?? "/",
    method: request.method as Dispatcher.HttpMethod,
    headers: rawHeaders.filter((_, i) => !dropped.has((rawHeaders[i - (i % 2)] ?? "").toLowerCase())),
    body: hasBody ? request : null,
  };
  pool.dispatch(options, {
    onRequestStart() {},
    onResponseStart(controller, status, _, reason) {
      answer.writeHead(status, reason ?? "", endToEnd((controller.rawHeaders ?? []) as Buffer[]));
    },
    onResponseData(controller, chunk) {
      if (answer.write(chunk)) return;
      controller.pause();
      answer.once("drain", () => controller.resume());
    },
    onResponseEnd() {
      answer.end();
    },
    onResponseError() {
      answer.destroy();
    },
  });
}

function endToEnd(raw: readonly Buffer[]): string[] {
  const fields: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] as Buffer).toString("latin1");
    if (!dropped.has(name.toLowerCase())) fields.push(name, (raw[i + 1] as Buffer).toString("latin1"));
  }
  return fields;
}

answerParent({ start });
