// WebSocket through the gateway: a handshake is decided on like any call, and nothing passes before the 101.
import { createHash } from "node:crypto";
import type { Duplex } from "node:stream";
import type tls from "node:tls";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { connectTo, isWholeAnswer, parseAnswer, readUntil } from "./support/client.ts";
import {
  demoSecret,
  eventually,
  HOST,
  type Ingress,
  ingresses,
  isClosed,
  messageOn,
  OPEN_HOST,
  startWorld,
  VALUE,
  valuesOf,
  type World,
} from "./support/world.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const handshake = [
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  `Sec-WebSocket-Key: ${KEY}`,
];
const accept = (key: string) =>
  createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");

let world: World;
let server: WebSocketServer;
beforeAll(async () => {
  world = await startWorld();
  await demoSecret(world.gateway);
  await world.gateway.rule({
    name: "No sockets",
    hostPattern: "*",
    pathPattern: "/blocked",
    action: "block",
  });
  server = new WebSocketServer({ noServer: true });
  server.on("connection", (socket) => {
    socket.on("error", () => {});
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
});
afterAll(async () => {
  for (const socket of server?.clients ?? []) socket.terminate();
  server?.close();
  await world?.stop();
});

type OnUpgrade = Parameters<WebSocketServer["handleUpgrade"]>[0];
let upgrades: OnUpgrade[] = [];
let earlyBytes = 0;
beforeEach(() => {
  upgrades = [];
  earlyBytes = 0;
  for (const origin of [world.origin, world.plain]) {
    origin.http.removeAllListeners("upgrade");
    origin.respondRaw(null);
    origin.http.closeAllConnections();
    origin.http.on("upgrade", (request, socket, head) => {
      upgrades.push(request);
      server.handleUpgrade(request, socket, head, (accepted) => server.emit("connection", accepted, request));
    });
  }
});
const answerUpgrade = (answer: (request: OnUpgrade, socket: Duplex) => void) => {
  for (const { http } of [world.origin, world.plain]) {
    http.removeAllListeners("upgrade");
    http.on("upgrade", (request, socket, head) => {
      upgrades.push(request);
      earlyBytes += head.length;
      socket.on("data", (chunk: Buffer) => (earlyBytes += chunk.length));
      socket.on("error", () => {});
      answer(request, socket);
    });
  }
};

/** A client of the ws library on a connection that the gateway gave. */
async function webSocketOn(
  ingress: Ingress,
  path = "/echo",
  fields: Record<string, string> = {},
): Promise<WebSocket> {
  const socket = await ingress.open(world.via);
  const headers = { ...fieldsOf(ingress.fields(world.via)), ...fields };
  const client = new WebSocket(`ws://${ingress.host}${path}`, {
    headers,
    createConnection: () => socket as tls.TLSSocket,
    finishRequest: (request) => {
      request.path = `${ingress.targetPrefix}${path}`;
      request.end();
    },
  });
  client.on("error", () => {});
  return client;
}

function fieldsOf(lines: readonly string[]): Record<string, string> {
  return Object.fromEntries(lines.map((line) => line.split(": ", 2) as [string, string]));
}

const opened = (client: WebSocket) =>
  new Promise<void>((resolve, reject) => client.once("open", resolve).once("error", reject));
const nextMessage = (client: WebSocket) =>
  new Promise<{ data: Buffer; isBinary: boolean }>((resolve) =>
    client.once("message", (data, isBinary) => resolve({ data: data as Buffer, isBinary })),
  );
const closed = (client: WebSocket) =>
  new Promise<number>((resolve) =>
    client.readyState === WebSocket.CLOSED ? resolve(0) : client.once("close", resolve),
  );
const statusOf = (client: WebSocket) =>
  new Promise<number>((resolve) =>
    client.once("unexpected-response", (_, response) => {
      resolve(response.statusCode ?? 0);
      response.resume();
    }),
  );

describe.each(ingresses)("over $name", (ingress) => {
  const isSecure = ingress.host === HOST;
  const raw = (path: string, fields: readonly string[] = handshake, method = "GET") =>
    messageOn(ingress, world.via, { path, fields, method });

  test("messages pass both ways, text and binary, small and large", async () => {
    const client = await webSocketOn(ingress);
    await opened(client);
    for (const size of [1, 200, 70_000, 1_000_000]) {
      const sent = Buffer.alloc(size, "a");
      client.send(sent, { binary: size % 200 === 0 });
      const { data, isBinary } = await nextMessage(client);
      expect(data.equals(sent)).toBe(true);
      expect(isBinary).toBe(size % 200 === 0);
    }
    client.terminate();
  });

  test("the handshake carries the secret where the way is verified TLS, and no proxy credentials", async () => {
    const client = await webSocketOn(ingress, "/echo", { "x-own": "1", authorization: "Bearer fake" });
    await opened(client);
    const sent = upgrades.at(-1)?.rawHeaders;
    expect(valuesOf(sent, "authorization")).toEqual([isSecure ? `Bearer ${VALUE}` : "Bearer fake"]);
    expect(valuesOf(sent, "proxy-authorization")).toEqual([]);
    expect(valuesOf(sent, "x-own")).toEqual(["1"]);
    expect(valuesOf(sent, "upgrade")).toEqual(["websocket"]);
    expect(valuesOf(sent, "host")).toEqual([ingress.host]);
    client.terminate();
  });

  test("the handshake is on record as a WebSocket and closed with the connection", async () => {
    const client = await webSocketOn(ingress, "/recorded");
    await opened(client);
    client.send("hello");
    await nextMessage(client);
    client.close(1000);
    await closed(client);
    await eventually(() => world.gateway.gateway.plane.live.exchanges.size === 0);
    const records = await world.gateway.audit();
    const open = records.findLast(({ path }) => path === "/recorded");
    expect(open).toMatchObject({ type: "open", scheme: isSecure ? "wss" : "ws", method: "GET" });
    const close = records.find(
      (record) => record["type"] === "close" && record["exchangeId"] === open?.["exchangeId"],
    );
    expect(close).toMatchObject({ status: 101, outcome: "complete" });
  });

  test("a rule that blocks the path stops it before any byte", async () => {
    const origin = ingress.origin(world);
    const { accepted, receivedBytes } = origin;
    const client = await webSocketOn(ingress, "/blocked");
    expect(await statusOf(client)).toBe(403);
    expect({ accepted: origin.accepted, receivedBytes: origin.receivedBytes }).toEqual({
      accepted,
      receivedBytes,
    });
    client.terminate();
  });

  test.each([
    [
      "a wrong Sec-WebSocket-Accept",
      () => `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept("x")}\r\n`,
    ],
    ["no Sec-WebSocket-Accept", () => "Upgrade: websocket\r\nConnection: Upgrade\r\n"],
    [
      "another protocol",
      () => `Upgrade: h2c\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept(KEY)}\r\n`,
    ],
  ])("a 101 with %s is a 502", async (_, fields) => {
    answerUpgrade((_request, socket) =>
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${fields()}\r\nsecret bytes`),
    );
    const socket = await ingress.open(world.via);
    socket.write(raw("/echo"));
    const answer = parseAnswer(await readUntil(socket, isWholeAnswer));
    expect(answer.status).toBe(502);
    expect(JSON.parse(answer.body)).toMatchObject({ error: "origin_protocol_error" });
    expect(await isClosed(socket, 2_000)).toBe(true);
    expect(await eventually(() => world.gateway.gateway.plane.live.exchanges.size === 0)).toBe(true);
  });

  test.each([
    [401, "Content-Length: 2\r\nWWW-Authenticate: Bearer x", "no"],
    [302, "Content-Length: 0\r\nLocation: https://elsewhere.test/", ""],
    [200, "Content-Length: 5", "plain"],
  ])("an answer of %i is handed on as it is", async (status, fields, body) => {
    answerUpgrade((_request, socket) => socket.write(`HTTP/1.1 ${status} X\r\n${fields}\r\n\r\n${body}`));
    const socket = await ingress.open(world.via);
    socket.write(raw("/refused"));
    const answer = parseAnswer(await readUntil(socket, isWholeAnswer));
    expect(answer).toMatchObject({ status, body });
    expect(await eventually(() => world.gateway.gateway.plane.live.exchanges.size === 0)).toBe(true);
    const last = (await world.gateway.audit()).at(-1);
    expect(last).toMatchObject({ type: "close", status, outcome: "complete" });
    socket.destroy();
  });

  test.each([
    ["h2c", ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"]],
    ["a protocol nobody knows", ["Connection: Upgrade", "Upgrade: foo/2"]],
    ["two protocols", ["Connection: Upgrade", "Upgrade: websocket, h2c", ...handshake.slice(2)]],
    [
      "two Upgrade fields",
      ["Connection: Upgrade", "Upgrade: websocket", "Upgrade: h2c", ...handshake.slice(2)],
    ],
    ["a handshake without a key", handshake.slice(0, 3)],
    ["a handshake with two keys", [...handshake, `Sec-WebSocket-Key: ${KEY}`]],
    [
      "an old version",
      ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 8", `Sec-WebSocket-Key: ${KEY}`],
    ],
    ["a handshake with a body", [...handshake, "Content-Length: 1"]],
  ])("an upgrade with %s is refused before the origin", async (_, fields) => {
    const origin = ingress.origin(world);
    const { receivedBytes } = origin;
    const socket = await ingress.open(world.via);
    socket.write(raw("/echo", fields) + (fields.includes("Content-Length: 1") ? "x" : ""));
    const answer = parseAnswer(await readUntil(socket, isWholeAnswer));
    expect(answer.status).toBe(400);
    expect(await isClosed(socket, 2_000)).toBe(true);
    expect(origin.receivedBytes).toBe(receivedBytes);
  });

  test("a handshake by POST is refused", async () => {
    const socket = await ingress.open(world.via);
    socket.write(raw("/echo", handshake, "POST"));
    expect(parseAnswer(await readUntil(socket, isWholeAnswer)).status).toBe(400);
    socket.destroy();
  });

  test("bytes behind the handshake wait for the 101", async () => {
    let release = () => {};
    answerUpgrade((request, socket) => {
      release = () =>
        socket.write(
          `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept(request.headers["sec-websocket-key"] ?? "")}\r\n\r\n`,
        );
    });
    const socket = await ingress.open(world.via);
    const frame = Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]);
    socket.write(Buffer.concat([Buffer.from(raw("/early")), frame]));
    await eventually(() => upgrades.length === 1);
    socket.write(frame);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(earlyBytes).toBe(0);
    release();
    expect(await readUntil(socket, (text) => text.includes("\r\n\r\n"))).toMatch(/^HTTP\/1\.1 101 /);
    expect(await eventually(() => earlyBytes === 2 * frame.length)).toBe(true);
    socket.destroy();
  });

  test("the client's close reaches the origin, with its code", async () => {
    const client = await webSocketOn(ingress);
    await opened(client);
    const [atOrigin] = [...server.clients].slice(-1);
    const code = new Promise<number>((resolve) => atOrigin?.once("close", resolve));
    client.close(4001);
    expect(await code).toBe(4001);
    await closed(client);
  });

  test("the origin's close reaches the client, with its code", async () => {
    const client = await webSocketOn(ingress);
    await opened(client);
    [...server.clients].at(-1)?.close(4002);
    expect(await closed(client)).toBe(4002);
  });

  test.each(["client", "origin"])(
    "a %s that is gone without a word takes the other side with it",
    async (side) => {
      const client = await webSocketOn(ingress);
      await opened(client);
      const atOrigin = [...server.clients].at(-1) as WebSocket;
      const other = closed(side === "client" ? atOrigin : client);
      (side === "client" ? client : atOrigin).terminate();
      expect(await other).toBe(1006);
      expect(await eventually(() => world.gateway.gateway.plane.live.exchanges.size === 0)).toBe(true);
    },
  );

  test("a client that leaves before the 101 leaves nothing behind", async () => {
    let gone = false;
    answerUpgrade((_, socket) => socket.on("close", () => (gone = true)));
    const socket = await ingress.open(world.via);
    socket.write(raw("/early"));
    await eventually(() => upgrades.length === 1);
    socket.destroy();
    expect(await eventually(() => gone && world.gateway.gateway.plane.live.exchanges.size === 0)).toBe(true);
  });

  test("taking the agent's right away closes it, and leaves another agent's open", async () => {
    const mine = await world.gateway.agent(`leaver-${ingress.name.replaceAll(/\W/g, "-").toLowerCase()}`);
    const via = { ...world.via, token: mine.token };
    const socket = await ingress.open(via);
    socket.write(messageOn(ingress, via, { path: "/echo", fields: handshake }));
    expect(await readUntil(socket, (text) => text.includes("\r\n\r\n"))).toMatch(/^HTTP\/1\.1 101 /);
    const other = await webSocketOn(ingress);
    await opened(other);
    await world.gateway.api("DELETE", `/v1/agents/${mine.id}`);
    expect(await isClosed(socket, 2_000)).toBe(true);
    other.send("still here");
    expect((await nextMessage(other)).data.toString()).toBe("still here");
    other.terminate();
    await eventually(() => world.gateway.gateway.plane.live.exchanges.size === 0);
    const revoked = (await world.gateway.audit()).findLast(({ outcome }) => outcome === "revoked");
    expect(revoked).toMatchObject({ type: "close", status: 101 });
  });
});

describe("a request target that is no WebSocket of ours", () => {
  test("the control plane has none to upgrade to", async () => {
    const socket = await connectTo(world.gateway.port);
    socket.write(`GET /v1/health HTTP/1.1\r\nHost: localhost\r\n${handshake.join("\r\n")}\r\n\r\n`);
    expect(parseAnswer(await readUntil(socket, isWholeAnswer)).status).toBe(404);
    socket.destroy();
  });

  test("an upgrade without a token is challenged", async () => {
    const socket = await connectTo(world.gateway.port);
    socket.write(
      `GET http://plain.demo.test/ HTTP/1.1\r\nHost: plain.demo.test\r\n${handshake.join("\r\n")}\r\n\r\n`,
    );
    expect(parseAnswer(await readUntil(socket, isWholeAnswer)).status).toBe(407);
    expect(await isClosed(socket, 2_000)).toBe(true);
  });

  test("an upgrade for another host than the tunnel's is answered 421", async () => {
    const secure = ingresses[0] as Ingress;
    const socket = await secure.open(world.via);
    socket.write(`GET / HTTP/1.1\r\nHost: ${OPEN_HOST}\r\n${handshake.join("\r\n")}\r\n\r\n`);
    expect(parseAnswer(await readUntil(socket, isWholeAnswer)).status).toBe(421);
    socket.destroy();
  });
});
