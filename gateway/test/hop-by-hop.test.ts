// Fields that belong to one connection (RFC 9110 section 7.6.1): taken out of what the client sent before anything is
// injected, so that no client can name away what the gateway puts in.
import { array, assert, asyncProperty, constantFrom, oneof } from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { basic, isWholeAnswer, openSecureTunnel, parseAnswer, readUntil } from "./support/client.ts";
import {
  demoSecret,
  exchangeOn,
  HOST,
  ingresses,
  messageOn,
  startWorld,
  VALUE,
  valuesOf,
  type World,
} from "./support/world.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld();
  await demoSecret(world.gateway, {
    injectionConfig: [
      { headerName: "Authorization", valueFormat: "Bearer {value}" },
      { headerName: "X-Api-Key" },
    ],
  });
});
afterAll(() => world?.stop());
beforeEach(() => {
  for (const origin of [world.origin, world.plain]) origin.handle((_, response) => response.end("ok"));
});

describe.each(ingresses)("over $name", (ingress) => {
  const isSecure = ingress.host === HOST;
  const sent = async (fields: readonly string[], method = "GET", body = "") => {
    const bytes = messageOn(ingress, world.via, { method, fields, body });
    const socket = await ingress.open(world.via);
    socket.write(bytes);
    const answer = parseAnswer(await readUntil(socket, isWholeAnswer));
    socket.destroy();
    return { answer, request: ingress.origin(world).requests.at(-1) };
  };

  test.each([
    ["authorization"],
    ["Authorization, X-Api-Key"],
    ["x-api-key"],
    ["keep-alive, X-API-KEY,authorization"],
    ["close, authorization"],
    ["host"],
    ["via"],
    ["content-length"],
    [",, ,authorization,"],
  ])("`Connection: %s` takes nothing away that the gateway sends", async (options) => {
    const { request, answer } = await sent([
      `Connection: ${options}`,
      "Authorization: mine",
      "X-Api-Key: mine",
    ]);
    expect(answer.status).toBe(200);
    if (isSecure) {
      expect(valuesOf(request?.rawHeaders, "authorization")).toEqual([`Bearer ${VALUE}`]);
      expect(valuesOf(request?.rawHeaders, "x-api-key")).toEqual([VALUE]);
    }
    expect(valuesOf(request?.rawHeaders, "host")).toEqual([ingress.host]);
    expect(valuesOf(request?.rawHeaders, "via").length).toBe(1);
  });

  test("a body keeps its length whatever Connection names", async () => {
    const { request } = await sent(["Connection: content-length", "Content-Length: 5"], "POST", "hello");
    expect(request?.body.toString()).toBe("hello");
    const chunked = await sent(
      ["Connection: transfer-encoding", "Transfer-Encoding: chunked"],
      "POST",
      "5\r\nhello\r\n0\r\n\r\n",
    );
    expect(chunked.request?.body.toString()).toBe("hello");
  });

  test("what Connection names goes no further, what it does not name does", async () => {
    const { request } = await sent([
      "Connection: x-private, X-Other",
      "X-Private: 1",
      "x-other: 2",
      "X-Public: 3",
    ]);
    expect(valuesOf(request?.rawHeaders, "x-private")).toEqual([]);
    expect(valuesOf(request?.rawHeaders, "x-other")).toEqual([]);
    expect(valuesOf(request?.rawHeaders, "x-public")).toEqual(["3"]);
  });

  test.each([
    "Proxy-Connection: keep-alive",
    "Keep-Alive: timeout=5",
    "TE: trailers",
    "Trailer: X-Sum",
    "Proxy-Authenticate: Basic",
    "HTTP2-Settings: AAMAAABkAAQAAP__",
  ])("`%s` stays here", async (field) => {
    const { request } = await sent([field]);
    expect(valuesOf(request?.rawHeaders, (field.split(":")[0] ?? "").toLowerCase())).toEqual([]);
  });

  test("proxy credentials never reach the origin, however many and wherever they stand", async () => {
    const inside =
      ingress.targetPrefix === ""
        ? [`Proxy-Authorization: ${basic(world.agent.token)}`, "PROXY-AUTHORIZATION: Bearer x"]
        : [];
    const { request, answer } = await sent(inside);
    expect(answer.status).toBe(200);
    expect(request?.rawBytes.toString("latin1")).not.toMatch(/proxy-authorization/i);
    expect(request?.rawBytes.toString("latin1")).not.toContain(world.agent.token);
  });

  test("request trailers stay here", async () => {
    const { request } = await sent(
      ["Transfer-Encoding: chunked", "Trailer: Authorization"],
      "POST",
      "5\r\nhello\r\n0\r\nAuthorization: Bearer trailer\r\nX-Sum: 1\r\n\r\n",
    );
    expect(request?.body.toString()).toBe("hello");
    expect(request?.rawBytes.toString("latin1")).not.toMatch(/trailer|x-sum/i);
  });

  test("Via names the gateway, behind those before it", async () => {
    const { request } = await sent(["Via: 1.0 fred, 1.1 p.example.net"]);
    const via = valuesOf(request?.rawHeaders, "via").join(", ");
    expect(via).toMatch(/^1\.0 fred, 1\.1 p\.example\.net, 1\.1 onecli-[0-9a-f]{12}$/);
  });

  test.each([
    ["itself", (name: string) => [`Via: 1.1 ${name}`]],
    ["itself among others", (name: string) => [`Via: 1.0 fred, 1.1 ${name} (comment)`, "Via: 1.1 other"]],
    ["itself in a field that Connection names", (name: string) => ["Connection: via", `Via: 1.1 ${name}`]],
  ])("a Via that names %s is a loop: 502, and the origin hears nothing", async (_, fields) => {
    const { viaPseudonym } = world.gateway.gateway.plane.settings;
    const origin = ingress.origin(world);
    const before = origin.requests.length;
    const { text } = await exchangeOn(
      ingress,
      world.via,
      messageOn(ingress, world.via, { fields: fields(viaPseudonym) }),
    );
    expect(parseAnswer(text).status).toBe(502);
    expect(JSON.parse(parseAnswer(text).body)).toMatchObject({ error: "proxy_loop_detected" });
    expect(origin.requests.length).toBe(before);
  });
});

describe("fields of the client", () => {
  test("arrive in their order, with their case and duplicates", async () => {
    const secure = await openSecureTunnel(world.via, `${HOST}:443`);
    secure.write(
      `GET / HTTP/1.1\r\nHost: ${HOST}\r\nX-B: 1\r\nx-a: 2\r\nX-b: 3\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n`,
    );
    await readUntil(secure, isWholeAnswer);
    secure.destroy();
    const raw = world.origin.requests.at(-1)?.rawHeaders ?? [];
    const names = raw.filter((_, index) => index % 2 === 0);
    expect(names.filter((name) => /^x-[ab]$|^cookie$/i.test(name))).toEqual([
      "X-B",
      "x-a",
      "X-b",
      "Cookie",
      "Cookie",
    ]);
  });

  test("whatever Connection lists, injected fields arrive exactly once", async () => {
    const option = constantFrom(
      "authorization",
      "Authorization",
      "X-API-KEY",
      "x-api-key",
      "close",
      "keep-alive",
      "te",
      "",
      " ",
      "x-1",
    );
    const line = array(option, { maxLength: 6 }).map((options) => `Connection: ${options.join(",")}`);
    const own = constantFrom(
      "authorization: a",
      "AUTHORIZATION: b",
      "x-api-key: c",
      "X-Api-Key: d",
      "Proxy-Authorization: e",
    );
    await assert(
      asyncProperty(array(oneof(line, own), { maxLength: 8 }), async (fields) => {
        const socket = await openSecureTunnel(world.via, `${HOST}:443`);
        socket.write([`GET / HTTP/1.1`, `Host: ${HOST}`, ...fields, "", ""].join("\r\n"));
        expect(parseAnswer(await readUntil(socket, isWholeAnswer)).status).toBe(200);
        socket.destroy();
        const raw = world.origin.requests.at(-1)?.rawHeaders;
        expect(valuesOf(raw, "authorization")).toEqual([`Bearer ${VALUE}`]);
        expect(valuesOf(raw, "x-api-key")).toEqual([VALUE]);
        expect(valuesOf(raw, "proxy-authorization")).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});

describe("fields of the origin", () => {
  test.each([
    ["Connection: X-Private", "X-Private: 1", "x-private"],
    ["Connection: keep-alive", "Keep-Alive: timeout=7", "keep-alive: timeout=7"],
    ["X: 1", "Proxy-Authenticate: Basic", "proxy-authenticate"],
    ["X: 1", "Proxy-Connection: close", "proxy-connection"],
    ["X: 1", 'Alt-Svc: h3=":443"', "alt-svc"],
    ["X: 1", "X-OneCLI-Hint: trust me", "x-onecli-hint"],
  ])("%s / %s: the latter does not pass", async (first, second, absent) => {
    world.origin.http.closeAllConnections();
    world.origin.respondRaw(
      `HTTP/1.1 200 OK\r\n${first}\r\n${second}\r\nX-Public: 1\r\nContent-Length: 2\r\n\r\nok`,
    );
    const socket = await openSecureTunnel(world.via, `${HOST}:443`);
    socket.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
    const text = (await readUntil(socket, isWholeAnswer)).toLowerCase();
    socket.destroy();
    world.origin.respondRaw(null);
    expect(text).toContain("x-public: 1");
    expect(text).not.toContain(absent);
  });
});
