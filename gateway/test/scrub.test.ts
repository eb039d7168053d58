// No answer of an origin carries the real value back to the agent.
import zlib from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openSecureTunnel, parseAnswer, readUntil, tunnelExchange, type Via } from "./support/client.ts";
import { startGateway, type TestGateway } from "./support/gateway.ts";
import { type Origin, startOrigin } from "./support/origin.ts";

const HOST = "api.demo.test";
const VALUE = "real/value+0123456789";
let origin: Origin;
let gateway: TestGateway;
let via: Via;
let placeholder: string;

beforeAll(async () => {
  origin = await startOrigin({ tls: true, names: [HOST, "open.demo.test"] });
  gateway = await startGateway({
    origins: { [HOST]: { port: origin.port, ca: origin.ca }, "open.demo.test": { port: origin.port } },
  });
  const agent = await gateway.agent("worker");
  await gateway.secret({
    name: "Demo key",
    type: "generic",
    value: VALUE,
    hostPattern: HOST,
    envName: "DEMO_KEY",
    injectionConfig: { headerName: "Authorization", valueFormat: "Bearer {value}" },
  });
  const config = await gateway.api("GET", "/v1/container-config?agent=worker");
  placeholder = (config.body as { env: Record<string, string> }).env["DEMO_KEY"] as string;
  via = { port: gateway.port, token: agent.token, ca: gateway.gateway.plane.authority.certificate };
});
afterAll(async () => {
  await gateway?.stop();
  await origin?.close();
});
beforeEach(() => origin.respondRaw(null));

const call = async (more = "") =>
  tunnelExchange(via, `${HOST}:443`, `GET /echo HTTP/1.1\r\nHost: ${HOST}\r\n${more}\r\n`);

describe("an origin that echoes the credential", () => {
  test.each([
    ["raw", VALUE],
    ["percent-encoded", encodeURIComponent(VALUE)],
    ["JSON-escaped", JSON.stringify(VALUE).replaceAll("/", "\\/")],
    ["in hex", Buffer.from(VALUE).toString("hex")],
    ["in base64", Buffer.from(`user:${VALUE}`).toString("base64")],
  ])("in a body with a length, %s: the agent gets none of it", async (_, written) => {
    origin.handle((_request, response) => response.end(`{"seen":"${written}"}`));
    const answer = parseAnswer(await call());
    expect(answer.status).toBe(200);
    expect(answer.body).not.toContain(written);
    expect(answer.fields["content-length"]).toBe(String(answer.body.length));
  });

  test("gives the agent its own placeholder in place", async () => {
    origin.handle((request, response) =>
      response.end(JSON.stringify({ seen: request.headers.authorization })),
    );
    expect(parseAnswer(await call()).body).toBe(JSON.stringify({ seen: `Bearer ${placeholder}` }));
  });

  test("in fields, in the reason phrase and in trailers", async () => {
    origin.handle((_, response) => {
      response.writeHead(200, `OK ${VALUE}`, {
        "x-seen": `a ${VALUE}`,
        location: `/?k=${encodeURIComponent(VALUE)}`,
        trailer: "x-late",
      });
      response.write("body");
      response.addTrailers({ "x-late": VALUE });
      response.end();
    });
    const answer = await call();
    expect(answer).not.toContain(VALUE);
    expect(answer).not.toContain(encodeURIComponent(VALUE));
    expect(answer).toContain(`x-seen: a ${placeholder}`);
    expect(answer).toContain(`x-late: ${placeholder}`);
  });

  test("in a chunked stream, cut anywhere", async () => {
    origin.handle((_, response) => {
      for (const character of `data: ${VALUE}\n\n`) response.write(character);
      response.end();
    });
    expect(parseAnswer(await call()).body).toBe(`data: ${placeholder}\n\n`);
  });

  test("in a long body with a length keeps the length", async () => {
    const long = `${"x".repeat(100_000)}${VALUE}${"y".repeat(100_000)}`;
    origin.handle((_, response) => response.end(long));
    const answer = parseAnswer(await call());
    expect(answer.body.length).toBe(long.length);
    expect(answer.body).not.toContain(VALUE);
  });

  test.each([
    ["gzip", zlib.gzipSync(VALUE)],
    ["gzip", Buffer.concat([zlib.gzipSync(VALUE.slice(0, 9)), zlib.gzipSync(VALUE.slice(9))])],
    ["deflate", zlib.deflateSync(VALUE)],
    ["br", zlib.brotliCompressSync(VALUE)],
    ["zstd", zlib.zstdCompressSync(VALUE)],
  ])("in %s, which it was not offered, is decoded", async (coding, body) => {
    origin.handle((request, response) => {
      expect(request.headers["accept-encoding"]).toBe("identity");
      response.writeHead(200, { "content-encoding": coding, "content-length": body.length }).end(body);
    });
    const answer = parseAnswer(await call("Accept-Encoding: gzip, br\r\n"));
    expect(answer.body).toBe(placeholder);
    expect(answer.fields).not.toHaveProperty("content-encoding");
  });

  test("in a coding that nobody knows is not passed on", async () => {
    origin.handle((_, response) => response.writeHead(200, { "content-encoding": "rot13" }).end(VALUE));
    const answer = parseAnswer(await call());
    expect(answer).toMatchObject({ status: 502 });
    expect(JSON.parse(answer.body)).toMatchObject({ error: "origin_protocol_error" });
  });

  test("in a part that was asked for: the whole is asked for instead", async () => {
    origin.handle((request, response) => {
      expect(request.headers.range).toBeUndefined();
      expect(request.headers["accept-charset"]).toBeUndefined();
      expect(request.headers["a-im"]).toBeUndefined();
      response.end(VALUE);
    });
    expect(
      parseAnswer(await call("Range: bytes=0-3\r\nIf-Range: x\r\nAccept-Charset: utf-16\r\nA-IM: gzip\r\n"))
        .body,
    ).toBe(placeholder);
  });

  test("in an interim response", async () => {
    origin.handle((_, response) => {
      response.writeEarlyHints({ link: `</${encodeURIComponent(VALUE)}>; rel=preload` });
      response.end("ok");
    });
    const socket = await openSecureTunnel(via, `${HOST}:443`);
    socket.write(`GET /hints HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
    const answer = await readUntil(socket, (text) => text.endsWith("ok"));
    expect(answer).toContain("103 ");
    expect(answer).not.toContain(encodeURIComponent(VALUE));
    socket.destroy();
  });
});

describe("an origin that keeps the credential", () => {
  test("and shows it on a path where it is not placed: the agent gets none of it", async () => {
    await gateway.secret({
      name: "Narrow key",
      type: "generic",
      value: "narrow-value-0123456789",
      hostPattern: HOST,
      pathPattern: "/v1/*",
      injectionConfig: { headerName: "x-narrow" },
    });
    origin.handle((_, response) => response.end("kept: narrow-value-0123456789"));
    expect(parseAnswer(await call()).body).toMatch(/^kept: OneCLIFake/);
  });
});

describe("an answer without a credential in it", () => {
  test("flows: the first event is not held back", async () => {
    origin.handle((_, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("data: first\n\n");
    });
    const socket = await openSecureTunnel(via, `${HOST}:443`);
    socket.write(`GET /events HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
    expect(await readUntil(socket, (text) => text.includes("first"))).toContain("data: first\n\n");
    socket.destroy();
  });

  test("of a host without a secret passes in its own coding and parts", async () => {
    const body = zlib.gzipSync("hello");
    origin.handle((request, response) => {
      expect(request.headers.range).toBe("bytes=0-3");
      response.writeHead(200, { "content-encoding": "gzip", "content-length": body.length }).end(body);
    });
    const request =
      "GET / HTTP/1.1\r\nHost: open.demo.test\r\nAccept-Encoding: gzip\r\nRange: bytes=0-3\r\n\r\n";
    const answer = await tunnelExchange(via, "open.demo.test:443", request);
    expect(parseAnswer(answer).fields["content-encoding"]).toBe("gzip");
  });

  test.each(["HEAD", "GET"])("%s without a body ends", async (method) => {
    origin.handle((_, response) =>
      response
        .writeHead(method === "HEAD" ? 200 : 204, method === "HEAD" ? { "content-length": "5" } : {})
        .end(),
    );
    const socket = await openSecureTunnel(via, `${HOST}:443`);
    for (let round = 0; round < 2; round += 1) {
      socket.write(`${method} / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
      expect(parseAnswer(await readUntil(socket, (text) => text.includes("\r\n\r\n"))).status).toBe(
        method === "HEAD" ? 200 : 204,
      );
    }
    socket.destroy();
  });
});
