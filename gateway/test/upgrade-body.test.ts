// A WebSocket handshake that announces a body: Node hands over a stream of its own for it, which once ended the process.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  basic,
  connectTo,
  openSecureTunnel,
  openTunnel,
  parseAnswer,
  readUntil,
  type Via,
} from "./support/client.ts";
import { startGateway, type TestGateway } from "./support/gateway.ts";

const HOST = "ws.demo.test";
let gateway: TestGateway;
let via: Via & { token: string };

beforeAll(async () => {
  gateway = await startGateway();
  const { token } = await gateway.agent("worker");
  via = { port: gateway.port, token };
});
afterAll(() => gateway?.stop());

const handshake = (target: string, more: string) =>
  `GET ${target} HTTP/1.1\r\nHost: ${HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
  `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nProxy-Authorization: ${basic(via.token)}\r\n${more}`;

const bodies = [
  ["a length and half the body", "Content-Length: 30\r\n\r\nabc"],
  ["a length and nothing yet", "Content-Length: 3\r\n\r\n"],
  ["a chunked body without its end", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello"],
] as const;

describe.each([
  ["through a TLS tunnel", "/chat", () => openSecureTunnel(via, `${HOST}:443`)],
  ["through a plain tunnel", "/chat", async () => (await openTunnel(via, `${HOST}:80`)).socket],
  ["in absolute form", `http://${HOST}/chat`, () => connectTo(via.port)],
])("a handshake with a body %s", (_, target, open) => {
  test.each(bodies)("is refused when it has %s, and the process stays up", async (_name, more) => {
    const socket = await open();
    socket.write(handshake(target, more));
    expect(parseAnswer(await readUntil(socket, (text) => text.includes("}"))).status).toBe(400);
    socket.destroy();
    expect((await gateway.api("GET", "/v1/health")).status).toBe(200);
  });
});

test.each(bodies)("a handshake to the API with %s is a 404", async (_, more) => {
  const socket = await connectTo(via.port);
  socket.write(handshake("/v1/agents", more));
  expect(parseAnswer(await readUntil(socket, (text) => text.includes("\r\n\r\n"))).status).toBe(404);
  socket.destroy();
  expect((await gateway.api("GET", "/v1/health")).status).toBe(200);
});
