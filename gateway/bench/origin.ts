// The origin: a TLS server that answers small JSON, one large body or an event, and counts what reached it, with the real credential or without.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import https from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { BULK_BYTES, BULK_PATH, EVENT, EVENT_PATH, EVENT_WAIT_MS } from "./paths.ts";
import { answerParent } from "./parent.ts";

export interface OriginStart {
  readonly certFile: string;
  readonly keyFile: string;
  /** the value of the Authorization field that a proxy is expected to put in place */
  readonly credential: string;
}

export interface OriginCounts {
  readonly requests: number;
  readonly credentialed: number;
}

const body = JSON.stringify({
  id: "msg_01",
  object: "list",
  data: Array.from({ length: 6 }, (_, n) => ({ id: n, name: `item ${n}`, ok: true })),
});
const fields = ["Content-Type", "application/json", "Content-Length", String(Buffer.byteLength(body))];
const BULK_PIECE_BYTES = 64 * 1024;
/** Made at the first call: a run without it does not pay. */
let bulk: Buffer | null = null;
let requests = 0;
let credentialed = 0;

function start({ certFile, keyFile, credential }: OriginStart): Promise<{ port: number }> {
  const tls = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
  // 0 = idle connections stay: no target may pay for re-opening them while the others have their turn.
  const server = https.createServer({ ...tls, keepAliveTimeout: 0 }, (request, response) => {
    requests += 1;
    if (request.headers.authorization === credential) credentialed += 1;
    answer(request, response);
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve({ port: (server.address() as AddressInfo).port }));
  });
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  request.on("end", () => {
    if (request.url === BULK_PATH) return void sendBulk(response);
    if (request.url === EVENT_PATH) return sendEvent(response);
    response.writeHead(200, fields);
    response.end(body);
  });
}

/** In pieces: written at once, all of it would be encrypted before the first byte leaves. */
async function sendBulk(response: ServerResponse): Promise<void> {
  bulk ??= randomBytes(BULK_BYTES);
  response.writeHead(200, [
    "Content-Type",
    "application/octet-stream",
    "Content-Length",
    String(bulk.length),
  ]);
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  for (let at = 0; at < bulk.length && !gone.signal.aborted; at += BULK_PIECE_BYTES) {
    if (response.write(bulk.subarray(at, at + BULK_PIECE_BYTES))) continue;
    await once(response, "drain", { signal: gone.signal }).catch(() => undefined);
  }
  response.end();
}

/** The stream stays open after its event, so that a proxy that waits for more shows. */
function sendEvent(response: ServerResponse): void {
  response.writeHead(200, ["Content-Type", "text/event-stream", "Transfer-Encoding", "chunked"]);
  response.write(EVENT);
  setTimeout(() => response.end(), EVENT_WAIT_MS);
}

answerParent({ start, counts: (): OriginCounts => ({ requests, credentialed }) });
