// The origin: a TLS server that answers small JSON and counts what reached it, with the real credential or without.
import { readFileSync } from "node:fs";
import https from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
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
    response.writeHead(200, fields);
    response.end(body);
  });
}

answerParent({ start, counts: (): OriginCounts => ({ requests, credentialed }) });
