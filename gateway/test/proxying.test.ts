// The main job over real sockets: a fake key goes in, the real one comes out at the origin, and nothing else changes.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  openSecureTunnel,
  openTunnel,
  parseAnswer,
  rawExchange,
  basic,
  readUntil,
  tunnelExchange,
  type Via,
} from "./support/client.ts";
import { startGateway, type TestGateway } from "./support/gateway.ts";
import { type Origin, startOrigin } from "./support/origin.ts";

const HOST = "api.demo.test";
let origin: Origin;
let plain: Origin;
let gateway: TestGateway;
let agent: { id: string; token: string };
let via: Via;

beforeAll(async () => {
  origin = await startOrigin({ tls: true, names: [HOST, "open.demo.test"] });
  plain = await startOrigin({ tls: false });
  gateway = await startGateway({
    origins: {
      [HOST]: { port: origin.port, ca: origin.ca },
      "open.demo.test": { port: origin.port },
      "plain.demo.test": { port: plain.port, asPort: 80 },
    },
  });
  agent = await gateway.agent("worker");
  await gateway.secret({
    name: "Demo key",
    type: "generic",
    value: "real-value-0123456789",
    hostPattern: HOST,
    injectionConfig: { headerName: "Authorization", valueFormat: "Bearer {value}" },
  });
  via = { port: gateway.port, token: agent.token, ca: gateway.gateway.plane.authority.certificate };
});
afterAll(async () => {
  await gateway?.stop();
  await origin?.close();
  await plain?.close();
});
beforeEach(() => {
  origin.respondRaw(null);
  origin.handle((_, response) => response.end("ok"));
});

const get = (path: string, more = "") => `GET ${path} HTTP/1.1\r\nHost: ${HOST}\r\n${more}\r\n`;
const last = () => origin.requests.at(-1);
const fieldOf = (raw: readonly string[] | undefined, name: string) =>
  raw?.filter((_, index) => index % 2 === 1 && raw[index - 1]?.toLowerCase() === name);

describe("a call through a tunnel", () => {
  test("reaches the origin with the real value in place of the fake one", async () => {
    const answer = await tunnelExchange(
      via,
      `${HOST}:443`,
      get("/v1/things?a=1&b=%2F", "Authorization: Bearer fake\r\n"),
    );
    expect(parseAnswer(answer)).toMatchObject({ status: 200, body: "ok" });
    expect(last()).toMatchObject({ method: "GET", url: "/v1/things?a=1&b=%2F" });
    expect(fieldOf(last()?.rawHeaders, "authorization")).toEqual(["Bearer real-value-0123456789"]);
    expect(fieldOf(last()?.rawHeaders, "host")).toEqual([HOST]);
  });

  test("is on record with the secret's name and without its value", async () => {
    await tunnelExchange(via, `${HOST}:443`, get("/recorded"));
    const records = await gateway.audit();
    const open = records.find((row) => row["type"] === "open" && row["path"] === "/recorded");
    expect(open).toMatchObject({
      agent: "worker",
      method: "GET",
      authority: `${HOST}:443`,
      secrets: ["Demo key"],
    });
    const close = records.find(
      (row) => row["type"] === "close" && row["exchangeId"] === open?.["exchangeId"],
    );
    expect(close).toMatchObject({ status: 200, outcome: "complete" });
    expect(JSON.stringify(records)).not.toContain("real-value");
  });

  test("carries several requests on one connection", async () => {
    const socket = await openSecureTunnel(via, `${HOST}:443`);
    for (const path of ["/one", "/two", "/three"]) {
      socket.write(get(path));
      const answer = await readUntil(socket, (text) => text.includes("ok"));
      expect(parseAnswer(answer).status).toBe(200);
      expect(last()?.url).toBe(path);
    }
    socket.destroy();
  });

  test("gets no secret on a host that none is stored for", async () => {
    const request = "GET / HTTP/1.1\r\nHost: open.demo.test\r\nX-Mine: 1\r\n\r\n";
    await tunnelExchange(via, "open.demo.test:443", request);
    expect(fieldOf(last()?.rawHeaders, "authorization")).toEqual([]);
    expect(fieldOf(last()?.rawHeaders, "x-mine")).toEqual(["1"]);
  });

  test("without a token is challenged", async () => {
    const { answer } = await openTunnel({ port: gateway.port }, `${HOST}:443`);
    expect(parseAnswer(answer)).toMatchObject({
      status: 407,
      fields: { "proxy-authenticate": 'Basic realm="OneCLI Gateway"' },
      body: "",
    });
  });
});

describe("bodies", () => {
  test("an upload arrives byte for byte", async () => {
    const body = Buffer.alloc(300_000, "x").toString();
    const request = `POST /up HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    expect(parseAnswer(await tunnelExchange(via, `${HOST}:443`, request)).status).toBe(200);
    expect(last()?.body.length).toBe(300_000);
  });

  test("a chunked upload arrives whole", async () => {
    const request = `POST /up HTTP/1.1\r\nHost: ${HOST}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`;
    expect(parseAnswer(await tunnelExchange(via, `${HOST}:443`, request)).status).toBe(200);
    expect(last()?.body.toString()).toBe("hello");
  });

  test("Expect: 100-continue is answered by the gateway after the permit and not sent on", async () => {
    const socket = await openSecureTunnel(via, `${HOST}:443`);
    socket.write(`POST /up HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n`);
    const interim = await readUntil(socket, (text) => text.includes("\r\n\r\n"));
    expect(interim).toMatch(/^HTTP\/1.1 100 Continue/);
    socket.write("hello");
    expect(parseAnswer(await readUntil(socket, (text) => text.includes("ok"))).status).toBe(200);
    expect(fieldOf(last()?.rawHeaders, "expect")).toEqual([]);
    socket.destroy();
  });

  test("the first event of a stream is not held back", async () => {
    let finish = () => {};
    origin.handle((_, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("data: first\n\n");
      finish = () => response.end("data: last\n\n");
    });
    const socket = await openSecureTunnel(via, `${HOST}:443`);
    socket.write(get("/events"));
    const first = await readUntil(socket, (text) => text.includes("data: first"));
    expect(first).toContain("data: first");
    finish();
    expect(await readUntil(socket, (text) => text.includes("data: last"))).toContain("data: last");
    socket.destroy();
  });

  test("trailers of the origin arrive", async () => {
    origin.handle((_, response) => {
      response.writeHead(200, { trailer: "x-sum" });
      response.write("body");
      response.addTrailers({ "x-sum": "42" });
      response.end();
    });
    const answer = await tunnelExchange(via, `${HOST}:443`, get("/trailers"));
    expect(answer).toMatch(/0\r\nx-sum: 42\r\n\r\n$/);
  });

  test.each([
    ["HEAD", 200],
    ["GET", 204],
    ["GET", 304],
  ])("%s with status %i has no body and leaves the connection usable", async (method, status) => {
    origin.handle((_, response) => {
      response.writeHead(status, status === 200 ? { "content-length": "10" } : {});
      response.end();
    });
    const socket = await openSecureTunnel(via, `${HOST}:443`);
    for (let round = 0; round < 2; round++) {
      socket.write(`${method} / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
      expect(parseAnswer(await readUntil(socket, (text) => text.includes("\r\n\r\n"))).status).toBe(status);
    }
    socket.destroy();
  });
});

describe("answers of the origin", () => {
  test("redirects are handed to the client", async () => {
    origin.handle((_, response) => response.writeHead(302, { location: "https://evil.test/" }).end());
    const before = origin.requests.length;
    const answer = parseAnswer(await tunnelExchange(via, `${HOST}:443`, get("/redirect")));
    expect(answer).toMatchObject({ status: 302, fields: { location: "https://evil.test/" } });
    expect(origin.requests.length).toBe(before + 1);
  });

  test("Alt-Svc and hop-by-hop fields do not pass", async () => {
    origin.handle((_, response) =>
      response
        .writeHead(200, {
          "alt-svc": 'h3=":443"',
          connection: "x-private",
          "x-private": "1",
          "x-public": "1",
        })
        .end("ok"),
    );
    const { fields } = parseAnswer(await tunnelExchange(via, `${HOST}:443`, get("/")));
    expect(fields).not.toHaveProperty("alt-svc");
    expect(fields).not.toHaveProperty("x-private");
    expect(fields).toHaveProperty("x-public");
  });

  test("a 401 where nothing was injected is the origin's own, with a hint", async () => {
    origin.handle((_, response) => response.writeHead(401, { "www-authenticate": "Bearer x" }).end("no"));
    const request = "GET /a?b HTTP/1.1\r\nHost: open.demo.test\r\n\r\n";
    const answer = parseAnswer(await tunnelExchange(via, "open.demo.test:443", request));
    expect(answer).toMatchObject({ status: 401, body: "no", fields: { "www-authenticate": "Bearer x" } });
    expect(answer.fields["x-onecli-hint"]).toContain("host=open.demo.test");
  });
});

describe("a plain call", () => {
  test("in absolute form reaches the origin", async () => {
    const request = `GET http://plain.demo.test/hello HTTP/1.1\r\nHost: plain.demo.test\r\nProxy-Authorization: ${basic(agent.token)}\r\n\r\n`;
    expect(parseAnswer(await rawExchange(gateway.port, request))).toMatchObject({ status: 200 });
    expect(plain.requests.at(-1)).toMatchObject({ url: "/hello" });
    expect(fieldOf(plain.requests.at(-1)?.rawHeaders, "proxy-authorization")).toEqual([]);
  });

  test("in absolute form without a token is challenged", async () => {
    const answer = await rawExchange(
      gateway.port,
      "GET http://plain.demo.test/ HTTP/1.1\r\nHost: plain.demo.test\r\n\r\n",
    );
    expect(parseAnswer(answer).status).toBe(407);
  });

  test("inside a tunnel reaches the origin", async () => {
    const { socket } = await openTunnel(via, "plain.demo.test:80");
    socket.write("GET /inside HTTP/1.1\r\nHost: plain.demo.test\r\n\r\n");
    expect(parseAnswer(await readUntil(socket, (text) => text.includes("ok"))).status).toBe(200);
    expect(plain.requests.at(-1)).toMatchObject({ url: "/inside" });
    socket.destroy();
  });
});
