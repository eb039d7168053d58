// What happens when one side stops early, is slow, or closes a connection at the wrong moment.
import type { IncomingMessage } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { limits } from "../src/limits.ts";
import { isWholeAnswer, openSecureTunnel, parseAnswer, readUntil } from "./support/client.ts";
import { testAuthority } from "./support/test-authority.ts";
import {
  demoSecret,
  eventually,
  HOST,
  isClosed,
  OPEN_HOST,
  startWorld,
  type World,
} from "./support/world.ts";

const MEBI = 1024 * 1024;
const SILENT = "silent.demo.test";
const SINK = "sink.demo.test";
/** accepts connections and says nothing */
const silent = createServer(() => {});
/** reads uploads without keeping them, when told to */
const sink = createSecureServer(testAuthority().issue({ names: [SINK] }), (request) => {
  onUpload(request);
});
let onUpload: (request: IncomingMessage) => void = (request) => request.resume();
let world: World;
let client: Duplex;

beforeAll(async () => {
  await Promise.all(
    [silent, sink].map((server) => new Promise<void>((done) => server.listen(0, "127.0.0.1", done))),
  );
  world = await startWorld({
    origins: { [SILENT]: { port: portOf(silent) }, [SINK]: { port: portOf(sink), ca: testAuthority().ca } },
  });
  await demoSecret(world.gateway);
});
afterAll(async () => {
  await world?.stop();
  sink.closeAllConnections();
  sink.close();
  silent.close();
});
beforeEach(async () => {
  client?.destroy();
  world.origin.respondRaw(null);
  // What `respondRaw` says holds for new connections.
  world.origin.http.closeAllConnections();
  world.origin.handle((_, response) => response.end("ok"));
  client = await openSecureTunnel(world.via, `${OPEN_HOST}:443`);
  client.on("error", () => {});
});

const get = (path = "/", method = "GET", host = OPEN_HOST) =>
  `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
const post = (length: number, body = "", path = "/up") =>
  `POST ${path} HTTP/1.1\r\nHost: ${OPEN_HOST}\r\nContent-Length: ${length}\r\n\r\n${body}`;
const live = () => world.gateway.gateway.plane.live.exchanges.size;

async function recordsOf(path: string): Promise<Record<string, unknown>[]> {
  await eventually(() => live() === 0);
  const all = await world.gateway.audit();
  const open = all.filter((record) => record["type"] === "open" && record["path"] === path);
  return all.filter(
    (record) =>
      open.some(({ exchangeId }) => exchangeId === record["exchangeId"]) ||
      (record["type"] === "refusal" && record["path"] === path),
  );
}

/** Makes sure that the gateway holds an idle connection to the origin. */
async function warmUp(): Promise<void> {
  client.write(get("/warm"));
  await readUntil(client, isWholeAnswer);
  await new Promise((resolve) => setTimeout(resolve, 30));
}

describe("a client that goes away", () => {
  test("in the middle of its upload ends the origin's side", async () => {
    let arrived = false;
    let aborted = false;
    world.origin.http.once("request", (request) => {
      arrived = true;
      request.once("aborted", () => (aborted = true));
    });
    const whole = world.origin.requests.length;
    client.write(post(1000, "half"));
    expect(await eventually(() => arrived)).toBe(true);
    client.destroy();
    expect(await eventually(() => aborted)).toBe(true);
    expect(world.origin.requests.length).toBe(whole);
    const close = (await recordsOf("/up")).at(-1);
    expect(close).toMatchObject({ type: "close", outcome: "client_aborted", status: null });
  });

  test("in the middle of its download ends the origin's side", async () => {
    let closed = false;
    world.origin.handle((_, response) => {
      response.on("close", () => (closed = true));
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("data: 1\n\n");
    });
    client.write(get("/events"));
    await readUntil(client, (text) => text.includes("data: 1"));
    client.destroy();
    expect(await eventually(() => closed)).toBe(true);
    expect((await recordsOf("/events")).at(-1)).toMatchObject({ outcome: "client_aborted", status: 200 });
  });

  test("while the origin is dialled leaves nothing open", async () => {
    const dialling = await openSecureTunnel(world.via, `${SILENT}:443`);
    dialling.write(get("/dialling", "GET", SILENT));
    expect(await eventually(() => live() === 1)).toBe(true);
    dialling.destroy();
    expect((await recordsOf("/dialling")).at(-1)).toMatchObject({ outcome: "client_aborted", status: null });
  });

  test("before the origin answers ends the origin's side", async () => {
    let closed = false;
    world.origin.handle((_, response) => response.on("close", () => (closed = true)));
    client.write(get("/silent"));
    await eventually(() => live() === 1);
    await new Promise((resolve) => setTimeout(resolve, 30));
    client.destroy();
    expect(await eventually(() => closed)).toBe(true);
    expect((await recordsOf("/silent")).at(-1)).toMatchObject({ outcome: "client_aborted", status: null });
  });

  test("with pipelined requests leaves none behind", async () => {
    world.origin.handle(() => {});
    client.write(get("/a") + get("/b") + get("/c"));
    await eventually(() => live() === 1);
    client.destroy();
    expect(await eventually(() => live() === 0)).toBe(true);
    expect(await recordsOf("/b")).toEqual([]);
  });
});

describe("an origin that goes away", () => {
  test.each([
    ["with Content-Length", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"],
    ["in chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"],
    ["in the middle of a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhalf"],
  ])("in the middle of a body %s cuts the client's connection", async (_, bytes) => {
    world.origin.respondRaw(bytes);
    client.write(get("/cut"));
    const text = await readUntil(client);
    expect(text).toContain("half");
    expect(isWholeAnswer(text)).toBe(false);
    expect(client.destroyed || client.readableEnded).toBe(true);
    expect((await recordsOf("/cut")).at(-1)).toMatchObject({ outcome: "origin_aborted", status: 200 });
  });

  test("in the middle of a body that is searched for a secret never makes a whole answer", async () => {
    const other = await openSecureTunnel(world.via, `${HOST}:443`);
    world.origin.respondRaw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    other.write(get("/cut-secret", "GET", HOST));
    expect(await readUntil(other, isWholeAnswer)).not.toContain("HTTP/1.1 200");
    other.destroy();
  });

  test("by a reset in a body without length cuts the client's connection", async () => {
    world.origin.http.once("request", (request, response) => {
      response.removeHeader("connection");
      const { socket } = request;
      socket.write("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf");
      setTimeout(() => tcpOf(socket).resetAndDestroy(), 50);
    });
    world.origin.handle(() => {});
    client.write(get("/reset"));
    const text = await readUntil(client);
    expect(text).toContain("half");
    expect(isWholeAnswer(text)).toBe(false);
  });

  test("by an orderly end of a body without length ends the answer", async () => {
    world.origin.respondRaw("HTTP/1.1 200 OK\r\n\r\nwhole");
    client.write(get("/until-close"));
    const text = await readUntil(client, isWholeAnswer);
    expect(parseAnswer(text)).toMatchObject({ status: 200, body: "whole" });
  });

  test.each([
    ["without a byte", ""],
    ["within the status line", "HTTP/1.1 20"],
    ["within the fields", "HTTP/1.1 200 OK\r\nX-One: 1\r\n"],
  ])("%s of an answer is a 502", async (_, bytes) => {
    world.origin.respondRaw(bytes);
    client.write(get("/none"));
    const answer = parseAnswer(await readUntil(client, isWholeAnswer));
    expect(answer.status).toBe(502);
    expect(JSON.parse(answer.body)).toMatchObject({ host: OPEN_HOST });
  });

  test.each([
    ["no HTTP", "SSH-2.0-OpenSSH_9.9\r\n"],
    ["two Content-Lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!"],
    [
      "Content-Length beside chunked",
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ],
    [
      "another coding than chunked",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ],
    ["a folded field", "HTTP/1.1 200 OK\r\nX-One: 1\r\n 2\r\nContent-Length: 2\r\n\r\nok"],
    ["a NUL in a field", "HTTP/1.1 200 OK\r\nX-One: \0\r\nContent-Length: 2\r\n\r\nok"],
    ["70 KiB of fields", `HTTP/1.1 200 OK\r\nX-One: ${"a".repeat(70 * 1024)}\r\n\r\n`],
    [
      "a 101 nobody asked for",
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
    ],
    ["a 101 without Upgrade", "HTTP/1.1 101 Switching Protocols\r\n\r\n"],
    ["a status of two digits", "HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok"],
  ])("whose answer is %s is a 502", async (_, bytes) => {
    world.origin.respondRaw(bytes, { end: false });
    client.write(get("/odd"));
    const answer = parseAnswer(await readUntil(client, isWholeAnswer, 5_000));
    expect(answer.status).toBe(502);
    expect(JSON.parse(answer.body)).toMatchObject({ error: "origin_protocol_error" });
  });

  test("with bytes behind its answer: nobody else gets them", async () => {
    world.origin.respondRaw(
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison",
      { end: false },
    );
    client.write(get("/first"));
    expect(parseAnswer(await readUntil(client, isWholeAnswer)).body).toBe("ok");
    world.origin.respondRaw(null);
    for (let round = 0; round < 3; round += 1) {
      client.write(get("/next"));
      expect(parseAnswer(await readUntil(client, isWholeAnswer)).body).toBe("ok");
    }
  });

  test("a reason phrase that HTTP does not allow is left out", async () => {
    world.origin.respondRaw(
      Buffer.from("HTTP/1.1 200 \xe2\x82\xac\r\nContent-Length: 2\r\n\r\nok", "latin1"),
    );
    client.write(get("/phrase"));
    expect(parseAnswer(await readUntil(client, isWholeAnswer))).toMatchObject({ status: 200, body: "ok" });
  });
});

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

function tcpOf(socket: Socket): Socket {
  return (socket as Socket & { _parent?: Socket })._parent ?? socket;
}

describe("an early answer", () => {
  test("reaches a client that is still uploading, and closes", async () => {
    world.origin.http.once("request", (_request, response) => response.writeHead(413).end("too big"));
    world.origin.handle(() => {});
    client.write(post(64 * MEBI));
    const chunk = Buffer.alloc(64 * 1024, "x");
    const upload = () => {
      while (client.writable && client.write(chunk));
    };
    client.on("drain", upload);
    upload();
    const text = await readUntil(client, isWholeAnswer);
    client.off("drain", upload);
    expect(parseAnswer(text)).toMatchObject({
      status: 413,
      fields: { connection: "close" },
      body: "too big",
    });
    expect(await isClosed(client, 3_000)).toBe(true);
    expect((await recordsOf("/up")).at(-1)).toMatchObject({ status: 413, outcome: "complete" });
  });

  test("of the gateway reaches a client that uploads regardless", async () => {
    await world.gateway.rule({
      name: "No uploads",
      hostPattern: OPEN_HOST,
      pathPattern: "/blocked",
      action: "block",
    });
    let failed: unknown = null;
    client.on("error", (error) => (failed ??= error));
    client.write(post(64 * MEBI, "", "/blocked"));
    for (let sent = 0; sent < 100 && client.writable; sent += 1) {
      client.write(Buffer.alloc(64 * 1024, "x"));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(failed).toBeNull();
    const text = await readUntil(client, isWholeAnswer);
    expect(parseAnswer(text)).toMatchObject({ status: 403, fields: { connection: "close" } });
    expect(await isClosed(client, 3_000)).toBe(true);
  });

  test("is followed by nothing of the rest of the upload on another call", async () => {
    world.origin.http.once("request", (_request, response) => response.writeHead(200).end("early"));
    world.origin.handle(() => {});
    client.write(post(20, "GET /"));
    expect(await readUntil(client, (text) => text.includes("early"))).toContain("early");
    world.origin.handle((_, response) => response.end("ok"));
    const next = await openSecureTunnel(world.via, `${OPEN_HOST}:443`);
    next.write(get("/clean"));
    expect(parseAnswer(await readUntil(next, isWholeAnswer))).toMatchObject({ status: 200, body: "ok" });
    expect(world.origin.requests.at(-1)).toMatchObject({ url: "/clean" });
    next.destroy();
  });
});

describe("an idle connection that the origin closes as the next request leaves", () => {
  const closeOnReuse = (how: (socket: Socket) => void) => {
    let seen = 0;
    world.origin.handle((request, response) => {
      seen += 1;
      if (request.url === "/stale" && seen === 1) how(request.socket);
      else response.end("ok");
    });
    return () => seen;
  };
  const kinds: readonly (readonly [string, (socket: Socket) => void])[] = [
    ["an end", (socket) => socket.end()],
    ["a reset", (socket) => tcpOf(socket).resetAndDestroy()],
  ];

  test.each(
    kinds.flatMap(([name, how]) => ["GET", "HEAD", "OPTIONS"].map((method) => [method, name, how] as const)),
  )("%s is sent once more after %s", async (method, _, how) => {
    await warmUp();
    const connections = world.origin.connections.length;
    const seen = closeOnReuse(how);
    client.write(get("/stale", method));
    expect(parseAnswer(await readUntil(client, (text) => text.includes("\r\n\r\n"))).status).toBe(200);
    expect(seen()).toBe(2);
    expect(world.origin.connections.length).toBe(connections + 1);
  });

  test("leaves one pair of records", async () => {
    await warmUp();
    closeOnReuse((socket) => socket.end());
    client.write(get("/stale?pair"));
    await readUntil(client, isWholeAnswer);
    const mine = (await recordsOf("/stale")).slice(-2);
    expect(mine.map(({ type }) => type)).toEqual(["open", "close"]);
    expect(mine[0]?.["exchangeId"]).toBe(mine[1]?.["exchangeId"]);
  });

  test.each(kinds)("POST is not sent again after %s", async (_, how) => {
    await warmUp();
    const seen = closeOnReuse(how);
    client.write(post(5, "hello", "/stale"));
    expect(parseAnswer(await readUntil(client, isWholeAnswer)).status).toBe(502);
    expect(seen()).toBe(1);
  });

  test("GET is not sent a third time", async () => {
    await warmUp();
    let seen = 0;
    world.origin.handle((request) => {
      seen += 1;
      request.socket.end();
    });
    client.write(get("/stale"));
    expect(parseAnswer(await readUntil(client, isWholeAnswer)).status).toBe(502);
    expect(seen).toBe(2);
  });

  test("a fresh connection that is closed is not tried again", async () => {
    const fresh = await openSecureTunnel(world.via, `${HOST}:443`);
    let seen = 0;
    world.origin.handle((request) => {
      seen += 1;
      request.socket.end();
    });
    fresh.write(`GET /fresh HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
    expect(parseAnswer(await readUntil(fresh, isWholeAnswer)).status).toBe(502);
    expect(seen).toBe(1);
    fresh.destroy();
  });
});

describe("a slow reader", () => {
  test("does not fill the gateway's memory", async () => {
    const total = 200 * MEBI;
    let sent = 0;
    world.origin.handle((_, response) => {
      response.writeHead(200, { "content-length": total });
      const chunk = Buffer.alloc(MEBI, "x");
      const more = () => {
        while (sent < total && !response.destroyed) {
          sent += chunk.length;
          if (!response.write(chunk)) return;
        }
        response.end();
      };
      response.on("drain", more);
      more();
    });
    client.pause();
    client.write(get("/large"));
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    // What the kernel's buffers of three connections and the stream buffers between them may hold.
    expect(sent).toBeLessThan(40 * MEBI);
    let received = 0;
    client.on("data", (chunk: Buffer) => (received += chunk.length));
    client.resume();
    expect(await eventually(() => received > total, 20_000)).toBe(true);
  });

  test("at the origin holds the uploading client back", async () => {
    let received = 0;
    let resume = () => {};
    onUpload = (request) => {
      resume = () => request.on("data", (chunk: Buffer) => (received += chunk.length));
    };
    const uploading = await openSecureTunnel(world.via, `${SINK}:443`);
    uploading.on("error", () => {});
    const total = 200 * MEBI;
    uploading.write(`PUT /up HTTP/1.1\r\nHost: ${SINK}\r\nContent-Length: ${total}\r\n\r\n`);
    const chunk = Buffer.alloc(MEBI, "x");
    let sent = 0;
    const more = () => {
      while (sent < total) {
        sent += chunk.length;
        if (!uploading.write(chunk)) return;
      }
    };
    uploading.on("drain", more);
    more();
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(sent).toBeLessThan(40 * MEBI);
    resume();
    expect(await eventually(() => received === total, 20_000)).toBe(true);
    uploading.destroy();
  });
});

describe("interim responses", () => {
  const interim = (count: number) =>
    `${"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nLink: </b.css>; rel=preload\r\n\r\n".repeat(count)}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok`;

  test.each([
    ["103", "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nLink: bad\r\n\r\n", "Link: bad"],
    ["102", "HTTP/1.1 102 Processing\r\n\r\n", "HTTP/1.1 102 Processing"],
  ])("%s is handed on", async (_, bytes, expected) => {
    world.origin.respondRaw(`${bytes}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok`);
    client.write(get("/hints"));
    const text = await readUntil(client, (all) => all.endsWith("ok"));
    expect(text).toContain(expected);
    expect(text).toContain("HTTP/1.1 200 OK");
  });

  test("none is handed to a client of HTTP/1.0", async () => {
    world.origin.respondRaw(interim(1));
    client.write(`GET /hints HTTP/1.0\r\nHost: ${OPEN_HOST}\r\n\r\n`);
    const text = await readUntil(client, (all) => all.endsWith("ok"));
    expect(text).toMatch(/^HTTP\/1\.1 200 OK/);
  });

  test("as many as allowed pass, one more is a 502", async () => {
    world.origin.respondRaw(interim(limits.originInterimResponsesMax));
    client.write(get("/hints"));
    expect(await readUntil(client, (all) => all.endsWith("ok"))).toContain("HTTP/1.1 200 OK");
    world.origin.respondRaw(interim(limits.originInterimResponsesMax + 1));
    const other = await openSecureTunnel(world.via, `${HOST}:443`);
    other.write(`GET /hints HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
    expect(await readUntil(other, (all) => all.includes("origin_protocol_error"))).toContain("HTTP/1.1 502");
    other.destroy();
  });

  test("a 100 that nobody asked for is a 502, because the origin's framing is in doubt", async () => {
    const other = await openSecureTunnel(world.via, `${HOST}:443`);
    world.origin.respondRaw("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    other.write(`GET /hints HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
    expect(parseAnswer(await readUntil(other, isWholeAnswer)).status).toBe(502);
    other.destroy();
  });
});

describe("a client that is silent in the middle of its upload", () => {
  test("is answered 408 and cut off, in one pair of records", async () => {
    const { inner } = world.gateway.gateway.plane;
    const { timeout } = inner;
    inner.timeout = 300;
    const slow = await openSecureTunnel(world.via, `${OPEN_HOST}:443`);
    slow.write(post(100, "half", "/slow"));
    await eventually(() => live() === 1);
    inner.timeout = timeout;
    const answer = parseAnswer(await readUntil(slow, isWholeAnswer));
    expect(answer.status).toBe(408);
    expect(JSON.parse(answer.body)).toMatchObject({ error: "request_timeout" });
    expect(await isClosed(slow, 3_000)).toBe(true);
    expect((await recordsOf("/slow")).map(({ type, outcome, error }) => [type, outcome, error])).toEqual([
      ["open", undefined, undefined],
      ["close", "refused", "request_timeout"],
    ]);
  });
});
