// A stand-in, not the gateway: a proxy that asks for a token, ends TLS itself and answers every call inside it with the
// refusal a gateway gives for an origin that does not exist. Enough for the doctor's checks.
import { createServer, type IncomingMessage } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { createTestAuthority } from "../../../gateway/test/support/test-authority.ts";

export interface StandInProxy {
  readonly port: number;
  /** PEM */
  readonly ca: string;
  readonly calls: string[];
  readonly close: () => Promise<void>;
}

export async function startStandInProxy(token: string, host: string): Promise<StandInProxy> {
  const authority = createTestAuthority(`Stand-in CA for ${host}`);
  const { cert, key } = authority.issue({ names: [host] });
  const calls: string[] = [];
  const inner = createTlsServer({ cert, key }, (request, response) => {
    calls.push(`${request.method} https://${request.headers.host}${request.url}`);
    response.writeHead(502, { "content-type": "application/json" });
    response.end(JSON.stringify({ error: "origin_unreachable", message: "no such host" }));
  });
  const outer = createServer((_, response) => response.writeHead(407).end());
  const sockets = new Set<Duplex>();
  const wanted = `Basic ${Buffer.from(`x:${token}`).toString("base64")}`;
  outer.on("connect", (request: IncomingMessage, socket: Duplex) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    if (request.headers["proxy-authorization"] !== wanted) {
      socket.end(
        'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="stand-in"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
      );
      return;
    }
    socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
    inner.emit("connection", socket);
  });
  await new Promise<void>((resolve) => outer.listen(0, "127.0.0.1", resolve));
  return {
    port: (outer.address() as AddressInfo).port,
    ca: authority.ca,
    calls,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        outer.close(() => resolve());
        outer.closeAllConnections();
      }),
  };
}
