// WebSocket messages through the gateway, by the `ws` package on both sides.
import { once } from "node:events";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type RawData, WebSocket, WebSocketServer } from "ws";
import { limits } from "../src/limits.ts";
import { openSecureTunnel, type Via } from "./support/client.ts";
import { startGateway, type TestGateway } from "./support/gateway.ts";
import { type Origin, startOrigin } from "./support/origin.ts";

const HOST = "ws.demo.test";
const VALUE = "real-value-0123456789";
let origin: Origin;
let server: WebSocketServer;
let gateway: TestGateway;
let agent: { id: string; token: string };
let via: Via;
let fake: string;
const heard: string[] = [];

beforeAll(async () => {
  origin = await startOrigin({ tls: true, names: [HOST, "open.demo.test"] });
  server = new WebSocketServer({ server: origin.http, perMessageDeflate: true });
  server.on("connection", (socket, request) => {
    socket.on("message", (data: RawData, isBinary) => {
      const text = (data as Buffer).toString();
      heard.push(text);
      if (text === "tell") socket.send(`you are ${request.headers.authorization} with ${VALUE}`);
      else socket.send(data, { binary: isBinary });
    });
  });
  gateway = await startGateway({
    origins: { [HOST]: { port: origin.port, ca: origin.ca }, "open.demo.test": { port: origin.port } },
  });
  agent = await gateway.agent("worker");
  await gateway.secret({
    name: "Socket key",
    type: "generic",
    value: VALUE,
    hostPattern: HOST,
    envName: "SOCKET_KEY",
    injectionConfig: [
      { headerName: "Authorization", valueFormat: "Bearer {value}" },
      { placeholder: ["websocket"] },
    ],
  });
  const config = await gateway.api("GET", "/v1/container-config?agent=worker");
  fake = (config.body as { env: Record<string, string> }).env["SOCKET_KEY"] as string;
  via = { port: gateway.port, token: agent.token, ca: gateway.gateway.plane.authority.certificate };
});
afterAll(async () => {
  server?.close();
  await gateway?.stop();
  await origin?.close();
});

async function open(host = HOST, options: { perMessageDeflate?: boolean } = {}): Promise<WebSocket> {
  const socket = await openSecureTunnel(via, `${host}:443`);
  const client = new WebSocket(`wss://${host}/chat`, { ...options, createConnection: () => socket });
  await once(client, "open");
  return client;
}

async function ask(client: WebSocket, message: string | Buffer): Promise<string> {
  client.send(message);
  const [data] = (await once(client, "message")) as [Buffer];
  return data.toString();
}

describe("a WebSocket on a host with a secret", () => {
  test("is opened with the real value in the handshake, and no message carries it back", async () => {
    const client = await open();
    const told = await ask(client, "tell");
    expect(told).not.toContain(VALUE);
    expect(told).toContain("OneCLIFake");
    client.close();
  });

  test("has its fake key exchanged in text messages: the origin hears the real one, the agent sees none", async () => {
    const client = await open(HOST, { perMessageDeflate: true });
    expect(client.extensions).toBe("");
    const answer = await ask(client, JSON.stringify({ auth: fake }));
    expect(heard.at(-1)).toBe(JSON.stringify({ auth: VALUE }));
    expect(answer).not.toContain(VALUE);
    client.close();
  });

  test("passes binary messages as they are", async () => {
    const client = await open();
    expect(await ask(client, Buffer.from("plain bytes"))).toBe("plain bytes");
    client.close();
  });
});

describe("a WebSocket on a host without a secret", () => {
  test("keeps its extensions and its bytes", async () => {
    const client = await open("open.demo.test", { perMessageDeflate: true });
    expect(client.extensions).toContain("permessage-deflate");
    const long = "long ".repeat(20_000);
    expect(await ask(client, long)).toBe(long);
    client.close();
  });

  test("ends with the code that the other side gave", async () => {
    const client = await open("open.demo.test");
    for (const peer of server.clients) peer.close(4001, "enough");
    const [code, reason] = (await once(client, "close")) as [number, Buffer];
    expect([code, reason.toString()]).toEqual([4001, "enough"]);
  });
});

test("a right that is withdrawn closes the WebSocket with 1008", async () => {
  const other = await gateway.agent("leaver");
  const socket = await openSecureTunnel({ ...via, token: other.token }, `${HOST}:443`);
  const client = new WebSocket(`wss://${HOST}/chat`, { createConnection: () => socket });
  await once(client, "open");
  await gateway.api("DELETE", `/v1/agents/${other.id}`);
  const [code] = (await once(client, "close")) as [number];
  expect(code).toBe(1008);
});

describe("the bounds of a WebSocket", () => {
  const bounds = limits as Record<"upgradeIdleTimeoutMs" | "websocketMessageBytesMax", number>;
  const product = { ...limits };
  afterEach(() => void Object.assign(bounds, product));

  test.each([HOST, "open.demo.test"])(
    "on %s: without a byte for upgradeIdleTimeoutMs it is closed with 1001",
    async (host) => {
      bounds.upgradeIdleTimeoutMs = 300;
      const client = await open(host);
      const [code, reason] = (await once(client, "close")) as [number, Buffer];
      expect([code, reason.toString()]).toEqual([1001, "idle"]);
    },
  );

  test("a text message above websocketMessageBytesMax that may hold a fake key ends it, one below passes", async () => {
    bounds.websocketMessageBytesMax = 1_000;
    const client = await open();
    expect(await ask(client, "a".repeat(1_000))).toBe("a".repeat(1_000));
    const before = heard.length;
    client.send("a".repeat(1_001));
    const [code] = (await once(client, "close")) as [number];
    expect(code).toBe(1002);
    expect(heard).toHaveLength(before);
  });

  test("where no key is exchanged a long message passes", async () => {
    bounds.websocketMessageBytesMax = 1_000;
    const client = await open("open.demo.test");
    expect(await ask(client, "a".repeat(5_000))).toBe("a".repeat(5_000));
    client.close();
  });
});
