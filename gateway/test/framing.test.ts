// Requests whose framing or target could be read in two ways: refused and cut off, never guessed at. One request that
// is accepted is one request at the origin.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { connectTo, openSecureTunnel, openTunnel, parseAnswer, readUntil } from "./support/client.ts";
import {
  demoSecret,
  eventually,
  exchangeOn,
  HOST,
  type Ingress,
  ingresses,
  isClosed,
  messageOn,
  OPEN_HOST,
  PLAIN_HOST,
  startWorld,
  type World,
} from "./support/world.ts";

const statusLines = (text: string): string[] => text.match(/HTTP\/1\.1 \d{3}/g) ?? [];

let world: World;
beforeAll(async () => {
  world = await startWorld();
  await demoSecret(world.gateway);
});
afterAll(() => world?.stop());
beforeEach(() => {
  world.origin.handle((_, response) => response.end("ok"));
  world.plain.handle((_, response) => response.end("ok"));
});

async function status200(ingress: Ingress): Promise<number> {
  const socket = await ingress.open(world.via);
  socket.write(messageOn(ingress, world.via));
  const answer = await readUntil(socket, (text) => text.includes("ok"));
  socket.destroy();
  return parseAnswer(answer).status;
}

describe.each(ingresses)("over $name", (ingress) => {
  const target = (path: string) => `${ingress.targetPrefix}${path}`;
  const auth = () =>
    ingress
      .fields(world.via)
      .map((field) => `${field}\r\n`)
      .join("");
  const head = (line: string, ...fields: string[]) =>
    `${line}\r\n${auth()}${fields.map((field) => `${field}\r\n`).join("")}\r\n`;
  const host = `Host: ${ingress.host}`;
  const post = (...fields: string[]) => head(`POST ${target("/")} HTTP/1.1`, host, ...fields);
  const get = (...fields: string[]) => head(`GET ${target("/")} HTTP/1.1`, ...fields);

  const refused: readonly (readonly [string, number, () => string | Buffer])[] = [
    ["two Host fields", 400, () => get(host, "Host: evil.test")],
    ["two equal Host fields", 400, () => get(host, host)],
    ["an empty Host", 400, () => get("Host:")],
    ["no Host", 400, () => get()],
    ["a Host with userinfo", 400, () => get(`Host: user@${ingress.host}`)],
    ["a Host with a path", 400, () => get(`Host: ${ingress.host}/x`)],
    ["a Host with a tab in it", 400, () => get(`Host: ${ingress.host}\tx`)],
    ["another Host", 421, () => get("Host: evil.test")],
    ["the right Host with another port", 421, () => get(`${host}:8443`)],
    ["HTTP/1.0 without Host", 400, () => head(`GET ${target("/")} HTTP/1.0`)],
    ["HTTP/2.0 in the request line", 400, () => head(`GET ${target("/")} HTTP/2.0`, host)],
    ["HTTP/1.2 in the request line", 400, () => head(`GET ${target("/")} HTTP/1.2`, host)],
    [
      "Transfer-Encoding in HTTP/1.0",
      400,
      () => `${head(`POST ${target("/")} HTTP/1.0`, host, "Transfer-Encoding: chunked")}0\r\n\r\n`,
    ],
    ["gzip, chunked", 400, () => `${post("Transfer-Encoding: gzip, chunked")}0\r\n\r\n`],
    ["chunked, gzip", 400, () => `${post("Transfer-Encoding: chunked, gzip")}0\r\n\r\n`],
    [
      "chunked twice",
      400,
      () => `${post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked")}0\r\n\r\n`,
    ],
    [
      "chunked and identity",
      400,
      () => `${post("Transfer-Encoding: chunked", "Transfer-Encoding: identity")}0\r\n\r\n`,
    ],
    ["a coding that ends in chunked", 400, () => `${post("Transfer-Encoding: xchunked")}0\r\n\r\n`],
    ["a coding in quotes", 400, () => `${post('Transfer-Encoding: "chunked"')}0\r\n\r\n`],
    ["an empty coding", 400, () => `${post("Transfer-Encoding:")}0\r\n\r\n`],
    ["a coding behind a vertical tab", 400, () => `${post("Transfer-Encoding: \x0bchunked")}0\r\n\r\n`],
    [
      "a space before the colon of Transfer-Encoding",
      400,
      () => `${post("Transfer-Encoding : chunked")}0\r\n\r\n`,
    ],
    ["a space before the colon of another field", 400, () => get(host, "X-One : 1")],
    [
      "Content-Length beside Transfer-Encoding",
      400,
      () => `${post("Content-Length: 5", "Transfer-Encoding: chunked")}0\r\n\r\n`,
    ],
    [
      "Transfer-Encoding beside Content-Length",
      400,
      () => `${post("Transfer-Encoding: chunked", "Content-Length: 5")}0\r\n\r\n`,
    ],
    ["two Content-Lengths", 400, () => `${post("Content-Length: 5", "Content-Length: 6")}hello`],
    ["two equal Content-Lengths", 400, () => `${post("Content-Length: 5", "Content-Length: 5")}hello`],
    ["a list of Content-Lengths", 400, () => `${post("Content-Length: 5, 5")}hello`],
    ["a negative Content-Length", 400, () => `${post("Content-Length: -5")}hello`],
    ["a Content-Length with a sign", 400, () => `${post("Content-Length: +5")}hello`],
    ["a hexadecimal Content-Length", 400, () => `${post("Content-Length: 0x5")}hello`],
    ["a Content-Length beyond 64 bits", 400, () => `${post(`Content-Length: ${"9".repeat(30)}`)}hello`],
    ["a folded field", 400, () => get(host, "X-One: 1\r\n 2")],
    ["a folded first field", 400, () => `GET ${target("/")} HTTP/1.1\r\n ${host}\r\n\r\n`],
    [
      "a bare line feed behind a field",
      400,
      () => `GET ${target("/")} HTTP/1.1\r\n${auth()}${host}\nX-One: 1\r\n\r\n`,
    ],
    ["a bare carriage return in a field", 400, () => get(host, "X-One: 1\r2")],
    ["NUL in a field", 400, () => get(host, "X-One: 1\0")],
    ["NUL in a field's name", 400, () => get(host, "X-\0One: 1")],
    ["a field without a name", 400, () => get(host, ": 1")],
    ["a line without a colon", 400, () => get(host, "nonsense")],
    ["a fragment in the target", 400, () => head(`GET ${target("/#x")} HTTP/1.1`, host)],
    ["a backslash in the target", 400, () => head(`GET ${target("/..\\x")} HTTP/1.1`, host)],
    ["NUL in the target", 400, () => head(`GET ${target("/\0")} HTTP/1.1`, host)],
    ["an escaped NUL in the target", 400, () => head(`GET ${target("/%00")} HTTP/1.1`, host)],
    [
      "raw bytes beyond ASCII in the target",
      400,
      () => Buffer.from(head(`GET ${target("/\xe9")} HTTP/1.1`, host), "latin1"),
    ],
    ["a path above the root", 400, () => head(`GET ${target("/../x")} HTTP/1.1`, host)],
    ["a target of 20 KiB", 400, () => head(`GET ${target(`/${"a".repeat(20 * 1024)}`)} HTTP/1.1`, host)],
    ["a space in the target", 400, () => head(`GET ${target("/a b")} HTTP/1.1`, host)],
    ["TRACE", 501, () => head(`TRACE ${target("/")} HTTP/1.1`, host)],
    ["a method that only WebDAV knows", 501, () => head(`PROPFIND ${target("/")} HTTP/1.1`, host)],
    ["a method that goes on in lower case", 400, () => head(`Get ${target("/")} HTTP/1.1`, host)],
    ["a method that nobody knows", 400, () => head(`BREW ${target("/")} HTTP/1.1`, host)],
    ["OPTIONS *", 400, () => head("OPTIONS * HTTP/1.1", host)],
    ["more than 64 KiB of fields", 431, () => get(host, `X-Long: ${"a".repeat(66 * 1024)}`)],
    ["201 fields", 431, () => get(host, ...Array.from({ length: 201 }, (_, index) => `X-${index}: 1`))],
    ["an expectation that is not 100-continue", 417, () => `${post("Content-Length: 1", "Expect: 200-ok")}x`],
    [
      "two expectations",
      400,
      () => `${post("Content-Length: 1", "Expect: 100-continue", "Expect: 100-continue")}x`,
    ],
  ];

  test.each(refused)("%s is answered %i and the connection closed", async (_, status, bytes) => {
    const { origin } = ingress.name === "TLS in a tunnel" ? world : { origin: world.plain };
    const before = origin.requests.length;
    const { text, closed } = await exchangeOn(ingress, world.via, bytes());
    expect(parseAnswer(text).status).toBe(status);
    expect(statusLines(text).length).toBe(1);
    if (status !== 400 || !text.includes("can't be read in one safe way")) expect(closed).toBe(true);
    expect(origin.requests.length).toBe(before);
    expect(await status200(ingress)).toBe(200);
  });

  test("HTTP/0.9 gets no answer from the origin", async () => {
    const origin = ingress.origin(world);
    const before = origin.requests.length;
    const socket = await ingress.open(world.via);
    socket.write(`GET ${target("/")}\r\n\r\n`);
    expect(await readUntil(socket, undefined, 2_000)).not.toMatch(/ 200 /);
    expect(origin.requests.length).toBe(before);
    socket.destroy();
  });

  test.each([
    ["behind a request", "GET"],
    ["behind a request with a body", "POST"],
  ])("garbage %s closes the connection, and the request is answered", async (_, method) => {
    const origin = ingress.origin(world);
    const before = origin.requests.length;
    const fields = method === "POST" ? ["Content-Length: 5"] : [];
    const body = method === "POST" ? "hello" : "";
    const socket = await ingress.open(world.via);
    socket.write(`${messageOn(ingress, world.via, { method, fields, body })}\x01\x02 nonsense\r\n\r\n`);
    const text = await readUntil(socket);
    expect(statusLines(text)).toEqual(["HTTP/1.1 200", "HTTP/1.1 400"]);
    expect(origin.requests.length).toBe(before + 1);
    expect(origin.requests.at(-1)?.body.toString()).toBe(body);
    socket.destroy();
  });

  test("bytes beyond the Content-Length are another request, never part of the first", async () => {
    const origin = ingress.origin(world);
    const smuggled = messageOn(ingress, world.via, { path: "/second", fields: ["X-Second: 1"] });
    const first = messageOn(ingress, world.via, {
      method: "POST",
      fields: ["Content-Length: 5"],
      body: "hello",
    });
    const before = origin.requests.length;
    const socket = await ingress.open(world.via);
    socket.write(first + smuggled);
    await readUntil(socket, (text) => (text.match(/ok/g)?.length ?? 0) === 2);
    expect(origin.requests.slice(before).map(({ url, body }) => `${url} ${body.toString()}`)).toEqual([
      "/ hello",
      "/second ",
    ]);
    socket.destroy();
  });

  test("pipelined requests are decided on one by one and answered in order", async () => {
    await world.gateway.rule({
      name: "No second",
      hostPattern: ingress.host,
      pathPattern: "/two",
      action: "block",
    });
    const origin = ingress.origin(world);
    origin.handle((request, response) =>
      setTimeout(() => response.end(request.url), request.url === "/one" ? 80 : 0),
    );
    const before = origin.requests.length;
    const socket = await ingress.open(world.via);
    socket.write(["/one", "/two", "/three"].map((path) => messageOn(ingress, world.via, { path })).join(""));
    const text = await readUntil(socket, (all) => all.includes("/three"));
    expect(statusLines(text)).toEqual(["HTTP/1.1 200", "HTTP/1.1 403", "HTTP/1.1 200"]);
    expect(origin.requests.slice(before).map(({ url }) => url)).toEqual(["/one", "/three"]);
    socket.destroy();
  });

  test("a flood of pipelined requests closes the connection", async () => {
    const origin = ingress.origin(world);
    origin.handle((_, response) => setTimeout(() => response.end("ok"), 100));
    const before = origin.requests.length;
    const socket = await ingress.open(world.via);
    socket.on("error", () => {});
    socket.write(messageOn(ingress, world.via).repeat(100));
    expect(await isClosed(socket, 5_000)).toBe(true);
    expect(origin.requests.length - before).toBeLessThan(3);
    expect(await eventually(() => world.gateway.gateway.plane.live.exchanges.size === 0)).toBe(true);
  });

  test.each([
    ["CONNECT", `CONNECT ${OPEN_HOST}:443 HTTP/1.1\r\nHost: ${OPEN_HOST}:443\r\n\r\n`],
    [
      "a WebSocket handshake",
      "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ],
  ])("%s pipelined behind a running request closes the connection", async (_, second) => {
    const origin = ingress.origin(world);
    origin.handle((_request, response) => setTimeout(() => response.end("late"), 200));
    const socket = await ingress.open(world.via);
    socket.on("error", () => {});
    socket.write(messageOn(ingress, world.via) + second);
    expect(await readUntil(socket, undefined, 3_000)).not.toContain("Connection Established");
    expect(await eventually(() => world.gateway.gateway.plane.live.exchanges.size === 0)).toBe(true);
  });

  test.each([
    ["a chunk size that is no number", "zz\r\nhello\r\n0\r\n\r\n"],
    ["a chunk size with a sign", "+5\r\nhello\r\n0\r\n\r\n"],
    ["a chunk longer than its size", "5\r\nhellohello\r\n0\r\n\r\n"],
    ["a bare line feed behind the chunk size", "5\nhello\r\n0\r\n\r\n"],
    ["a bare line feed behind the chunk", "5\r\nhello\n0\r\n\r\n"],
    ["a chunk size of 17 digits", `${"f".repeat(17)}\r\nhello\r\n0\r\n\r\n`],
    ["a chunk extension of 20 KiB", `5;${"x".repeat(20 * 1024)}\r\nhello\r\n0\r\n\r\n`],
    ["NUL in a chunk extension", "5;a=\0\r\nhello\r\n0\r\n\r\n"],
  ])("%s never makes a whole request at the origin", async (_, body) => {
    const origin = ingress.origin(world);
    const before = origin.requests.length;
    const bytes = messageOn(ingress, world.via, {
      method: "POST",
      fields: ["Transfer-Encoding: chunked"],
      body,
    });
    const { text, closed } = await exchangeOn(ingress, world.via, bytes);
    expect([400, 413]).toContain(parseAnswer(text).status);
    expect(closed).toBe(true);
    expect(origin.requests.length).toBe(before);
    expect(await eventually(() => world.gateway.gateway.plane.live.exchanges.size === 0)).toBe(true);
  });
});

describe("inside a tunnel", () => {
  const secure = ingresses[0] as (typeof ingresses)[number];

  test.each([
    ["an absolute target", `GET https://${HOST}/ HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`],
    [
      "an absolute target to another host",
      `GET http://${PLAIN_HOST}/ HTTP/1.1\r\nHost: ${PLAIN_HOST}\r\n\r\n`,
    ],
    ["CONNECT", `CONNECT ${OPEN_HOST}:443 HTTP/1.1\r\nHost: ${OPEN_HOST}:443\r\n\r\n`],
    ["a target in authority form", `GET ${HOST}:443 HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`],
    ["a target without a slash", `GET index.html HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`],
  ])("%s is answered 400", async (_, bytes) => {
    const before = world.origin.requests.length + world.plain.requests.length;
    const { text, closed } = await exchangeOn(secure, world.via, bytes);
    expect(parseAnswer(text).status).toBe(400);
    expect(closed).toBe(true);
    expect(world.origin.requests.length + world.plain.requests.length).toBe(before);
  });

  test.each([
    ["the host in capitals", HOST.toUpperCase()],
    ["the default port written out", `${HOST}:443`],
    ["a trailing dot", `${HOST}.`],
    ["a trailing dot and the port", `${HOST}.:443`],
  ])("%s in Host is the same authority", async (_, name) => {
    const { text } = await exchangeOn(secure, world.via, `GET / HTTP/1.1\r\nHost: ${name}\r\n\r\n`);
    expect(parseAnswer(text).status).toBe(200);
    const sent = world.origin.requests.at(-1)?.rawHeaders ?? [];
    expect(sent[sent.findIndex((field) => field.toLowerCase() === "host") + 1]).toBe(HOST);
  });

  test.each([
    [421, "another server name", OPEN_HOST, HOST],
    [421, "another server name and the Host that goes with it", OPEN_HOST, OPEN_HOST],
    [421, "the server name of a stranger", "evil.test", HOST],
    [200, "the same name in capitals", HOST.toUpperCase(), HOST],
  ])("is answered %i for %s in the TLS handshake", async (status, _, serverName, host) => {
    const before = world.origin.requests.length;
    const socket = await openSecureTunnel(world.via, `${HOST}:443`, serverName);
    socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    expect(parseAnswer(await readUntil(socket, (text) => text.includes("\r\n\r\n"))).status).toBe(status);
    expect(world.origin.requests.length).toBe(before + (status === 200 ? 1 : 0));
    socket.destroy();
  });

  test.each([
    ["\x00", "a NUL"],
    ["\r\n", "an empty line"],
    ["ssh-2.0", "another protocol"],
    ["\x80", "an SSL 2 hello"],
    ["get / HTTP/1.1\r\n", "a method in lower case"],
  ])("%j as the first bytes (%s) closes it", async (bytes) => {
    const { socket } = await openTunnel(world.via, `${HOST}:443`);
    socket.write(bytes);
    expect(await isClosed(socket, 2_000)).toBe(true);
  });

  test("the end of the client's side before its first byte closes it", async () => {
    const { socket } = await openTunnel(world.via, `${HOST}:443`);
    socket.end();
    expect(await isClosed(socket, 2_000)).toBe(true);
  });
});

describe("CONNECT", () => {
  const auth = () =>
    `Proxy-Authorization: Basic ${Buffer.from(`x:${world.agent.token}`).toString("base64")}\r\n`;
  const opened = async (line: string, fields: string): Promise<number> => {
    const socket = await connectTo(world.gateway.port);
    socket.write(`${line}\r\n${auth()}${fields}\r\n`);
    const answer = await readUntil(socket, (text) => text.includes("\r\n\r\n"));
    socket.destroy();
    return parseAnswer(answer).status;
  };

  test.each([
    [`CONNECT ${HOST}:443 HTTP/1.1`, `Host: ${HOST}:443\r\n`],
    [`CONNECT ${HOST}:443 HTTP/1.1`, `Host: ${HOST}\r\n`],
    [`CONNECT ${HOST.toUpperCase()}.:443 HTTP/1.1`, `Host: ${HOST}:443\r\n`],
    [`CONNECT ${HOST}:443 HTTP/1.0`, ""],
  ])("%s with %j opens a tunnel", async (line, fields) => {
    expect(await opened(line, fields)).toBe(200);
  });

  test.each([
    [400, `CONNECT user@${HOST}:443 HTTP/1.1`, `Host: ${HOST}:443\r\n`],
    [400, `CONNECT ${HOST} HTTP/1.1`, `Host: ${HOST}\r\n`],
    [400, "CONNECT /x HTTP/1.1", `Host: ${HOST}\r\n`],
    [400, `CONNECT ${HOST}:443/x HTTP/1.1`, `Host: ${HOST}\r\n`],
    [400, `CONNECT https://${HOST}:443 HTTP/1.1`, `Host: ${HOST}\r\n`],
    [400, `CONNECT ${HOST}:0443 HTTP/1.1`, `Host: ${HOST}\r\n`],
    [400, `CONNECT ${HOST}:0 HTTP/1.1`, `Host: ${HOST}\r\n`],
    [400, `CONNECT ${HOST}:65536 HTTP/1.1`, `Host: ${HOST}\r\n`],
    [400, "CONNECT 127.1:443 HTTP/1.1", "Host: 127.1:443\r\n"],
    [400, "CONNECT 2130706433:443 HTTP/1.1", "Host: 2130706433:443\r\n"],
    [400, `CONNECT ${HOST}:443 HTTP/1.1`, `Host: ${HOST}:443\r\nContent-Length: 5\r\n`],
    [400, `CONNECT ${HOST}:443 HTTP/1.1`, `Host: ${HOST}:443\r\nContent-Length: 0\r\n`],
    [400, `CONNECT ${HOST}:443 HTTP/1.1`, `Host: ${HOST}:443\r\nTransfer-Encoding: chunked\r\n`],
    [400, `CONNECT ${HOST}:443 HTTP/1.1`, ""],
    [400, `CONNECT ${HOST}:443 HTTP/1.1`, "Host:\r\n"],
    [400, `CONNECT ${HOST}:443 HTTP/1.1`, `Host: ${HOST}:443\r\nHost: ${HOST}:443\r\n`],
    [421, `CONNECT ${HOST}:443 HTTP/1.1`, "Host: evil.test:443\r\n"],
    [421, `CONNECT ${HOST}:443 HTTP/1.1`, `Host: ${HOST}:80\r\n`],
    [403, `CONNECT ${HOST}:22 HTTP/1.1`, `Host: ${HOST}:22\r\n`],
  ])("is answered %i for %s with %j", async (status, line, fields) => {
    expect(await opened(line, fields)).toBe(status);
  });

  test("what it names wrongly is on record without what may be a password", async () => {
    await opened(`CONNECT user:hunter2@${HOST}:443 HTTP/1.1`, `Host: ${HOST}:443\r\n`);
    const last = (await world.gateway.audit()).at(-1);
    expect(last).toMatchObject({
      type: "refusal",
      method: "CONNECT",
      authority: `${HOST}:443`,
      code: "bad_request",
    });
    expect(JSON.stringify(last)).not.toContain("hunter2");
  });
});
