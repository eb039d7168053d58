// Where the real value is put, and where it never goes.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  basic,
  isWholeAnswer,
  openSecureTunnel,
  openTunnel,
  parseAnswer,
  rawExchange,
  readUntil,
} from "./support/client.ts";
import { startOrigin } from "./support/origin.ts";
import { createTestAuthority, testAuthority } from "./support/test-authority.ts";
import { HOST, OPEN_HOST, PLAIN_HOST, startWorld, valuesOf, viaOf, type World } from "./support/world.ts";

const ANTHROPIC = "api.anthropic.com";
const OPENAI = "api.openai.com";
const TELEGRAM = "api.telegram.org";
const DEEP = "eu.api.demo.test";
const VALUE = "real-Value_0123456789";
/** what needs escaping in one place or another */
const AWKWARD = `a"b\\c d&e=f/g?h#i%j+k:l;m,n@o'p~q`;

let world: World;
const made: string[] = [];
beforeAll(async () => {
  world = await startWorld({ names: [ANTHROPIC, OPENAI, TELEGRAM, DEEP] });
});
afterAll(() => world?.stop());
beforeEach(() => world.origin.handle((_, response) => response.end("ok")));
afterEach(async () => {
  for (const id of made.splice(0)) await world.gateway.api("DELETE", `/v1/secrets/${id}`);
});

async function secret(options: Record<string, unknown>): Promise<string> {
  const { id } = await world.gateway.secret({
    name: `Secret ${made.length + 1}`,
    type: "generic",
    value: VALUE,
    hostPattern: HOST,
    ...options,
  });
  made.push(id);
  return id;
}

interface Sent {
  readonly host?: string;
  readonly method?: string;
  readonly target?: string;
  readonly fields?: readonly string[];
  readonly body?: string | Buffer;
  readonly token?: string;
}

/** Sends one request through a TLS tunnel; what the client got, and what the origin did. */
async function send(sent: Sent = {}) {
  const { host = HOST, method = "GET", target = "/", fields = [], body = "" } = sent;
  const via = sent.token === undefined ? world.via : viaOf(world.gateway, sent.token);
  const before = world.origin.requests.length;
  const socket = await openSecureTunnel(via, `${host}:443`);
  const length = body.length > 0 ? [`Content-Length: ${Buffer.byteLength(body)}`] : [];
  const head = [`${method} ${target} HTTP/1.1`, `Host: ${host}`, ...fields, ...length].join("\r\n");
  socket.write(Buffer.concat([Buffer.from(`${head}\r\n\r\n`, "latin1"), Buffer.from(body)]));
  const answer = parseAnswer(await readUntil(socket, isWholeAnswer));
  socket.destroy();
  const arrived = world.origin.requests.slice(before);
  return { answer, count: arrived.length, request: arrived[0], raw: arrived[0]?.rawHeaders };
}

async function fakeOf(name: string, identifier = "worker"): Promise<string> {
  const { body } = await world.gateway.api("GET", `/v1/container-config?agent=${identifier}`);
  const { placeholders = [] } = body as { placeholders?: { secret: string; value: string }[] };
  return placeholders.find((placeholder) => placeholder.secret === name)?.value ?? "";
}

async function expectNotInjected(result: Awaited<ReturnType<typeof send>>): Promise<void> {
  expect(result.answer.status).toBe(403);
  expect(JSON.parse(result.answer.body)).toMatchObject({ error: "placeholder_not_injected" });
  expect(result.count).toBe(0);
  expect((await world.gateway.audit()).at(-1)).toMatchObject({
    type: "refusal",
    code: "placeholder_not_injected",
  });
}

describe("a header", () => {
  test("gets the value alone, or in its format", async () => {
    await secret({
      injectionConfig: [{ headerName: "X-Key" }, { headerName: "X-Token", valueFormat: "token {value}!" }],
    });
    const { raw } = await send();
    expect(valuesOf(raw, "x-key")).toEqual([VALUE]);
    expect(valuesOf(raw, "x-token")).toEqual([`token ${VALUE}!`]);
  });

  test("gets a value with $ in it as it is", async () => {
    await secret({
      value: "a$&b$1c$$d",
      injectionConfig: { headerName: "X-Key", valueFormat: "Bearer {value}" },
    });
    expect(valuesOf((await send()).raw, "x-key")).toEqual(["Bearer a$&b$1c$$d"]);
  });

  test("takes the place of every one that the client sent, whatever its case", async () => {
    await secret({ injectionConfig: { headerName: "X-Key" } });
    const { raw } = await send({ fields: ["x-key: a", "X-KEY: b", "X-Key: c", "X-Key-Other: d"] });
    expect(valuesOf(raw, "x-key")).toEqual([VALUE]);
    expect(valuesOf(raw, "x-key-other")).toEqual(["d"]);
  });

  test("Basic credentials are encoded with their user", async () => {
    await secret({ value: "pass:wörd", injectionConfig: { basic: { username: "me@example.com" } } });
    const [sent] = valuesOf((await send({ fields: ["Authorization: Bearer mine"] })).raw, "authorization");
    expect(Buffer.from((sent ?? "").slice(6), "base64").toString("utf8")).toBe("me@example.com:pass:wörd");
  });
});

describe("a query parameter", () => {
  const injectionConfig = { paramName: "api key", paramFormat: "k-{value}" };
  const written = `api%20key=${encodeURIComponent(`k-${AWKWARD}`)}`;

  test.each([
    ["no query", "/p", `/p?${written}`],
    ["an empty query", "/p?", `/p?${written}`],
    ["other parameters", "/p?a=1&b=%2F&a=2", `/p?a=1&b=%2F&a=2&${written}`],
    ["the parameter itself", "/p?api%20key=mine", `/p?${written}`],
    ["the parameter twice", "/p?api+key=mine&x=1&api%20key", `/p?x=1&${written}`],
    ["the parameter in needless escapes", "/p?%61pi%20ke%79=mine&x=1", `/p?x=1&${written}`],
    ["the parameter in capitals", "/p?API%20KEY=mine&x=1", `/p?x=1&${written}`],
    ["a parameter that starts the same", "/p?api%20keys=mine", `/p?api%20keys=mine&${written}`],
    ["empty parameters", "/p?a=1&&b", `/p?a=1&&b&${written}`],
    ["a broken escape", "/p?a=%zz", `/p?a=%zz&${written}`],
  ])("is added once to %s", async (_, target, expected) => {
    await secret({ value: AWKWARD, injectionConfig });
    expect((await send({ target })).request?.url).toBe(expected);
  });
});

describe("a path", () => {
  test.each([
    ["/botFAKE/getMe", `/bot${VALUE}/getMe`],
    ["/botFAKE/getMe?x=1", `/bot${VALUE}/getMe?x=1`],
    ["/botFAKE", `/bot${VALUE}`],
    ["/file/botFAKE/x", `/file/bot${VALUE}/x`],
    ["/file/botFAKE/x/botFAKE", `/file/bot${VALUE}/x/botFAKE`],
    ["/getMe", `/bot${VALUE}/getMe`],
    ["/", `/bot${VALUE}`],
  ])("template: %s goes out as %s", async (target, expected) => {
    await secret({ hostPattern: TELEGRAM, injectionConfig: { pathTemplate: "/bot{value}" } });
    expect((await send({ host: TELEGRAM, target })).request?.url).toBe(expected);
  });

  test("template: the value is escaped as a segment", async () => {
    await secret({ value: "12:a/b?c#d e%f", injectionConfig: { pathTemplate: "/k/{value}/v" } });
    expect((await send({ target: "/k/fake/v/rest" })).request?.url).toBe(
      "/k/12:a%2Fb%3Fc%23d%20e%25f/v/rest",
    );
  });

  test.each([
    ["/v1/keys/old/items", `/v1/keys/${VALUE}/items`],
    ["/v1/other", "/v1/other"],
  ])("regular expression: %s goes out as %s", async (target, expected) => {
    await secret({ injectionConfig: { pathRegex: "^(/v1/keys/)[^/]+", pathReplacement: "$1{value}" } });
    expect((await send({ target })).request?.url).toBe(expected);
  });

  test("the record shows the path before the value was put in", async () => {
    await secret({ injectionConfig: { pathTemplate: "/bot{value}" } });
    await send({ target: "/botFAKE/recorded" });
    const records = JSON.stringify(await world.gateway.audit());
    expect(records).toContain("/botFAKE/recorded");
    expect(records).not.toContain(VALUE);
  });
});

describe("vendors", () => {
  test("an Anthropic API key goes into x-api-key and Authorization leaves", async () => {
    await secret({ type: "anthropic", hostPattern: ANTHROPIC, value: "sk-ant-api03-real" });
    const { raw } = await send({
      host: ANTHROPIC,
      fields: ["x-api-key: placeholder", "Authorization: Bearer placeholder"],
    });
    expect(valuesOf(raw, "x-api-key")).toEqual(["sk-ant-api03-real"]);
    expect(valuesOf(raw, "authorization")).toEqual([]);
  });

  test("an Anthropic OAuth token takes the place of a bearer", async () => {
    await secret({ type: "anthropic", hostPattern: ANTHROPIC, value: "sk-ant-oat01-real" });
    const { raw } = await send({ host: ANTHROPIC, fields: ["Authorization: bearer placeholder"] });
    expect(valuesOf(raw, "authorization")).toEqual(["Bearer sk-ant-oat01-real"]);
  });

  test("an Anthropic OAuth token leaves a call without a bearer, and its x-api-key, alone", async () => {
    await secret({ type: "anthropic", hostPattern: ANTHROPIC, value: "sk-ant-oat01-real" });
    const { raw } = await send({ host: ANTHROPIC, fields: ["x-api-key: sk-ant-temporary"] });
    expect(valuesOf(raw, "x-api-key")).toEqual(["sk-ant-temporary"]);
    expect(valuesOf(raw, "authorization")).toEqual([]);
  });

  test("an OpenAI key goes into Authorization", async () => {
    await secret({ type: "openai", hostPattern: OPENAI, value: "sk-real" });
    const { raw } = await send({ host: OPENAI, fields: ["Authorization: Bearer placeholder"] });
    expect(valuesOf(raw, "authorization")).toEqual(["Bearer sk-real"]);
  });
});

describe("fake keys of two accounts on one host", () => {
  beforeEach(async () => {
    const injectionConfig = { placeholder: ["header", "query", "path", "body"] };
    await secret({ name: "First", value: `first-${AWKWARD}`, injectionConfig });
    await secret({ name: "Second", value: "second-value", injectionConfig });
  });
  const json = ["Content-Type: application/json; charset=utf-8"];
  const form = ["Content-Type: application/x-www-form-urlencoded"];

  test.each([
    ["First", `first-${AWKWARD}`],
    ["Second", "second-value"],
  ])("the one of %s is exchanged for its own value", async (name, value) => {
    const { raw } = await send({ fields: [`Authorization: Bearer ${await fakeOf(name)}`] });
    expect(valuesOf(raw, "authorization")).toEqual([`Bearer ${value}`]);
  });

  test("in Basic credentials, as user or password", async () => {
    const first = await fakeOf("First");
    const asPassword = `Basic ${Buffer.from(`me:${first}`).toString("base64")}`;
    const [sent = ""] = valuesOf(
      (await send({ fields: [`Authorization: ${asPassword}`] })).raw,
      "authorization",
    );
    expect(Buffer.from(sent.slice(6), "base64").toString()).toBe(`me:first-${AWKWARD}`);
    const asUser = `Basic ${Buffer.from(`${first}:`).toString("base64")}`;
    const [other = ""] = valuesOf(
      (await send({ fields: [`Authorization: ${asUser}`] })).raw,
      "authorization",
    );
    expect(Buffer.from(other.slice(6), "base64").toString()).toBe(`first-${AWKWARD}:`);
  });

  test("in the query and the path, escaped for where they stand", async () => {
    const first = await fakeOf("First");
    const query = await send({ target: `/p?a=1&key=${first}&b=%2F` });
    expect(query.request?.url).toBe(`/p?a=1&key=${encodeURIComponent(`first-${AWKWARD}`)}&b=%2F`);
    const { request } = await send({ target: `/k/${first}/x` });
    expect(decodeURIComponent(request?.url ?? "")).toBe(`/k/first-${AWKWARD}/x`);
    expect(request?.url?.split("/").length).toBe(4);
  });

  test("in a JSON body, escaped, and every other byte untouched", async () => {
    const first = await fakeOf("First");
    const bytes = Buffer.concat([
      Buffer.from(`{"b":"é\\u00e9`),
      Buffer.from([0xff, 0xfe]),
      Buffer.from(`","key":"${first}"}`),
    ]);
    const { request, raw } = await send({ method: "POST", fields: json, body: bytes });
    const expected = Buffer.concat([
      bytes.subarray(0, bytes.indexOf(first)),
      Buffer.from(JSON.stringify(`first-${AWKWARD}`).slice(1, -1)),
      Buffer.from(`"}`),
    ]);
    expect(request?.body.equals(expected)).toBe(true);
    expect(valuesOf(raw, "content-length")).toEqual([String(expected.length)]);
  });

  test("in a form body, escaped", async () => {
    const body = `a=1&key=${await fakeOf("First")}&b=2`;
    const { request } = await send({ method: "POST", fields: form, body });
    expect(request?.body.toString()).toBe(`a=1&key=${encodeURIComponent(`first-${AWKWARD}`)}&b=2`);
  });

  test("in a chunked body, which then has a length", async () => {
    const body = JSON.stringify({ key: await fakeOf("Second") });
    const socket = await openSecureTunnel(world.via, `${HOST}:443`);
    socket.write(`POST / HTTP/1.1\r\nHost: ${HOST}\r\n${json[0]}\r\nTransfer-Encoding: chunked\r\n\r\n`);
    for (const part of [body.slice(0, 20), body.slice(20)]) {
      socket.write(`${part.length.toString(16)}\r\n${part}\r\n`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    socket.write("0\r\n\r\n");
    await readUntil(socket, isWholeAnswer);
    socket.destroy();
    const last = world.origin.requests.at(-1);
    expect(last?.body.toString()).toBe('{"key":"second-value"}');
    expect(valuesOf(last?.rawHeaders, "transfer-encoding")).toEqual([]);
  });

  test("a client that waits for 100 Continue is asked for its body", async () => {
    const body = JSON.stringify({ key: await fakeOf("Second") });
    const socket = await openSecureTunnel(world.via, `${HOST}:443`);
    socket.write(
      `POST / HTTP/1.1\r\nHost: ${HOST}\r\n${json[0]}\r\nContent-Length: ${body.length}\r\nExpect: 100-continue\r\n\r\n`,
    );
    expect(await readUntil(socket, (text) => text.includes("\r\n\r\n"), 3_000)).toMatch(/^HTTP\/1\.1 100 /);
    socket.write(body);
    const rest = await readUntil(socket, isWholeAnswer);
    expect(rest.match(/HTTP\/1\.1 \d{3}/g)).toEqual(["HTTP/1.1 200"]);
    socket.destroy();
  });

  test("both may be used in one call, each once", async () => {
    const [first, second] = [await fakeOf("First"), await fakeOf("Second")];
    const { raw } = await send({ fields: [`X-One: ${first}`, `X-Two: ${second}`] });
    expect([valuesOf(raw, "x-one"), valuesOf(raw, "x-two")]).toEqual([
      [`first-${AWKWARD}`],
      ["second-value"],
    ]);
  });

  test.each([
    ["twice in one field", (fake: string) => ({ fields: [`X-One: ${fake} ${fake}`] })],
    ["in two fields", (fake: string) => ({ fields: [`X-One: ${fake}`, `X-Two: ${fake}`] })],
    ["in a field and the query", (fake: string) => ({ fields: [`X-One: ${fake}`], target: `/?k=${fake}` })],
    [
      "twice in a body",
      (fake: string) => ({ method: "POST", fields: json, body: JSON.stringify([fake, fake]) }),
    ],
    [
      "in a body of another type",
      (fake: string) => ({ method: "POST", fields: ["Content-Type: text/plain"], body: fake }),
    ],
    ["in a body without a type", (fake: string) => ({ method: "POST", body: fake })],
    ["for another host", (fake: string) => ({ host: OPEN_HOST, fields: [`Authorization: Bearer ${fake}`] })],
    ["in the query of another host", (fake: string) => ({ host: OPEN_HOST, target: `/?k=${fake}` })],
    ["in the path of another host", (fake: string) => ({ host: OPEN_HOST, target: `/${fake}` })],
  ])("is refused %s", async (_, message) => {
    await expectNotInjected(await send(message(await fakeOf("First"))));
  });

  test("another agent's is refused", async () => {
    const { token } = await world.gateway.agent("other");
    const fake = await fakeOf("First");
    expect(await fakeOf("First", "other")).not.toBe(fake);
    await expectNotInjected(await send({ token, fields: [`Authorization: Bearer ${fake}`] }));
  });

  test("a body beyond the bound is answered 413 and not sent", async () => {
    const result = await send({
      method: "POST",
      fields: json,
      body: JSON.stringify("x".repeat(1024 * 1024)),
    });
    expect(result.answer.status).toBe(413);
    expect(JSON.parse(result.answer.body)).toMatchObject({ error: "body_too_large" });
    expect(result.count).toBe(0);
  });

  test("a body of exactly the bound passes", async () => {
    const body = JSON.stringify("x".repeat(1024 * 1024 - 2));
    const result = await send({ method: "POST", fields: json, body });
    expect(result.answer.status).toBe(200);
    expect(result.request?.body.length).toBe(1024 * 1024);
  });
});

describe("a fake key with a colon, as Telegram's", () => {
  beforeEach(() =>
    secret({ name: "Bot", hostPattern: TELEGRAM, injectionConfig: { placeholder: ["path", "body"] } }),
  );

  test.each([
    ["as it is", (fake: string) => fake],
    ["escaped", (fake: string) => fake.replace(":", "%3A")],
    ["escaped in lower case", (fake: string) => fake.replace(":", "%3a")],
  ])("is exchanged in a path when written %s", async (_, write) => {
    const { request } = await send({ host: TELEGRAM, target: `/bot${write(await fakeOf("Bot"))}/getMe` });
    expect(request?.url).toBe(`/bot${VALUE}/getMe`);
  });
});

describe("the words `placeholder` and `proxy-managed`", () => {
  const slots: readonly (readonly [string, string])[] = [
    ["Authorization", "Bearer placeholder"],
    ["Authorization", "bearer  placeholder"],
    ["Authorization", "token proxy-managed"],
    ["Authorization", "placeholder"],
    ["Authorization", `Basic ${Buffer.from("x:placeholder").toString("base64")}`],
    ["Authorization", `Basic ${Buffer.from("placeholder:").toString("base64")}`],
    ["x-api-key", "placeholder"],
    ["X-Goog-Api-Key", "proxy-managed"],
    ["Private-Token", "placeholder"],
  ];

  test.each(slots)("in %s: %s is refused where nothing is injected", async (name, value) => {
    await expectNotInjected(await send({ fields: [`${name}: ${value}`] }));
  });

  test("in Authorization is what an injected value takes the place of", async () => {
    await secret({ injectionConfig: { headerName: "Authorization", valueFormat: "Bearer {value}" } });
    const { raw } = await send({ fields: ["Authorization: Bearer placeholder"] });
    expect(valuesOf(raw, "authorization")).toEqual([`Bearer ${VALUE}`]);
  });

  test.each([
    ["a field that is no slot", { fields: ["X-Note: placeholder"] }],
    ["the query", { target: "/?key=placeholder" }],
    ["the path", { target: "/placeholder" }],
    [
      "a body",
      { method: "POST", fields: ["Content-Type: application/json"], body: '{"hint":"placeholder"}' },
    ],
    ["a longer word", { fields: ["Authorization: Bearer my-placeholder-key"] }],
  ])("in %s are just words", async (_, message) => {
    expect((await send(message)).answer.status).toBe(200);
  });
});

describe("which secret is placed", () => {
  const injectionConfig = { headerName: "X-Key" };

  test("the exact host wins over the wildcard, and the closer wildcard over the wider one", async () => {
    await secret({ value: "wide", hostPattern: "*.demo.test", injectionConfig });
    await secret({ value: "close", hostPattern: "*.api.demo.test", injectionConfig });
    await secret({ value: "exact", hostPattern: HOST, injectionConfig });
    expect(valuesOf((await send({ host: OPEN_HOST })).raw, "x-key")).toEqual(["wide"]);
    expect(valuesOf((await send({ host: DEEP })).raw, "x-key")).toEqual(["close"]);
    expect(valuesOf((await send({ host: HOST })).raw, "x-key")).toEqual(["exact"]);
  });

  test("the longer path wins over the shorter one", async () => {
    await secret({ value: "all", injectionConfig });
    await secret({ value: "v1", pathPattern: "/v1/*", injectionConfig });
    expect(valuesOf((await send({ target: "/v1/x" })).raw, "x-key")).toEqual(["v1"]);
    expect(valuesOf((await send({ target: "/v2/x" })).raw, "x-key")).toEqual(["all"]);
  });

  test.each([
    ["/v1/x", true],
    ["/v1", true],
    ["/v1/%2e%2e/v2", false],
    ["/v2/../v1/x", true],
    ["/v1%2fx", false],
    ["//v1/x", false],
    ["/V1/x", false],
  ])("under /v1/*: %s is injected: %s", async (target, injected) => {
    await secret({ pathPattern: "/v1/*", injectionConfig });
    const { raw, answer } = await send({ target });
    expect(answer.status).toBe(200);
    expect(valuesOf(raw, "x-key")).toEqual(injected ? [VALUE] : []);
  });

  test("only for the methods it names", async () => {
    await secret({ methods: ["GET"], injectionConfig });
    expect(valuesOf((await send()).raw, "x-key")).toEqual([VALUE]);
    expect(valuesOf((await send({ method: "POST", body: "x" })).raw, "x-key")).toEqual([]);
  });

  test("only on the port it names", async () => {
    await secret({ hostPattern: `${HOST}:8443`, injectionConfig });
    expect(valuesOf((await send()).raw, "x-key")).toEqual([]);
  });

  test("not for an agent that may use selected secrets only, until it is selected", async () => {
    const id = await secret({ injectionConfig });
    const picky = await world.gateway.agent("picky");
    await world.gateway.api("PATCH", `/v1/agents/${picky.id}/secret-mode`, { mode: "selective" });
    expect(valuesOf((await send({ token: picky.token })).raw, "x-key")).toEqual([]);
    await world.gateway.api("PUT", `/v1/agents/${picky.id}/secrets`, { secretIds: [id] });
    expect(valuesOf((await send({ token: picky.token })).raw, "x-key")).toEqual([VALUE]);
  });

  test("a new value is placed from the next call on", async () => {
    const id = await secret({ injectionConfig });
    await world.gateway.api("PATCH", `/v1/secrets/${id}`, { value: "second-value" });
    expect(valuesOf((await send()).raw, "x-key")).toEqual(["second-value"]);
  });
});

describe("the way to the origin", () => {
  test("is cleartext: nothing is injected, in a tunnel or in absolute form", async () => {
    await secret({ hostPattern: `${PLAIN_HOST}:80`, injectionConfig: { headerName: "X-Key" } });
    const { socket } = await openTunnel(world.via, `${PLAIN_HOST}:80`);
    socket.write(`GET / HTTP/1.1\r\nHost: ${PLAIN_HOST}\r\n\r\n`);
    expect(parseAnswer(await readUntil(socket, isWholeAnswer)).status).toBe(200);
    socket.destroy();
    await rawExchange(
      world.gateway.port,
      `GET http://${PLAIN_HOST}/ HTTP/1.1\r\nHost: ${PLAIN_HOST}\r\nProxy-Authorization: ${basic(world.agent.token)}\r\n\r\n`,
    );
    expect(world.plain.requests.length).toBe(2);
    expect(world.plain.requests.flatMap(({ rawHeaders }) => valuesOf(rawHeaders, "x-key"))).toEqual([]);
  });

  test("is cleartext to port 443: nothing is injected and TLS is not spoken", async () => {
    await secret({ injectionConfig: { headerName: "X-Key" } });
    const { receivedBytes } = world.origin;
    const { socket } = await openTunnel(world.via, `${HOST}:443`);
    socket.write(`GET / HTTP/1.1\r\nHost: ${HOST}:443\r\n\r\n`);
    expect(parseAnswer(await readUntil(socket, isWholeAnswer)).status).toBe(502);
    expect(world.origin.receivedBytes).toBe(receivedBytes);
    socket.destroy();
  });

  test("is TLS asked for in absolute form: the value is injected", async () => {
    await secret({ injectionConfig: { headerName: "X-Key" } });
    const answer = await rawExchange(
      world.gateway.port,
      `GET https://${HOST}/absolute HTTP/1.1\r\nHost: ${HOST}\r\nProxy-Authorization: ${basic(world.agent.token)}\r\n\r\n`,
    );
    expect(parseAnswer(answer).status).toBe(200);
    expect(valuesOf(world.origin.requests.at(-1)?.rawHeaders, "x-key")).toEqual([VALUE]);
  });
});

describe("an origin that can't be verified", () => {
  const DAY_MS = 86_400_000;
  const BAD = "bad.demo.test";
  const certificates = {
    "has a self-signed certificate": () => testAuthority().issue({ names: [BAD], selfSigned: true }),
    "has a certificate of an unknown authority": () => createTestAuthority("Nobody").issue({ names: [BAD] }),
    "has a certificate for another name": () => testAuthority().issue({ names: ["other.demo.test"] }),
    "has an expired certificate": () =>
      testAuthority().issue({
        names: [BAD],
        notBefore: new Date(Date.now() - 10 * DAY_MS),
        notAfter: new Date(Date.now() - DAY_MS),
      }),
    "has a certificate of the future": () =>
      testAuthority().issue({ names: [BAD], notBefore: new Date(Date.now() + DAY_MS) }),
  };

  test.each(Object.entries(certificates))(
    "because it %s gets no byte, and the client 502",
    async (_, issue) => {
      const bad = await startOrigin({ tls: true, tlsOptions: issue() });
      const other = await startWorld({ origins: { [BAD]: { port: bad.port } } });
      await other.gateway.secret({
        name: "Key",
        type: "generic",
        value: VALUE,
        hostPattern: BAD,
        injectionConfig: { headerName: "X-Key" },
      });
      const socket = await openSecureTunnel(other.via, `${BAD}:443`);
      socket.write(`POST / HTTP/1.1\r\nHost: ${BAD}\r\nContent-Length: 5\r\n\r\nhello`);
      const answer = parseAnswer(await readUntil(socket, isWholeAnswer));
      socket.destroy();
      expect(answer.status).toBe(502);
      expect(JSON.parse(answer.body)).toMatchObject({ error: "origin_tls_error" });
      expect(bad.accepted).toBeGreaterThan(0);
      expect(bad.receivedBytes).toBe(0);
      await other.stop();
      await bad.close();
    },
  );
});
