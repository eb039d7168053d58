// Every answer that the gateway gives itself, over every way in: its status, its body, and what the client may do next.
// A refusal is one record, and a refused call dials nobody.
import { createServer } from "node:net";
import path from "node:path";
import Database from "better-sqlite3";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { limits } from "../src/limits.ts";
import {
  type Answer,
  basic,
  connectTo,
  isWholeAnswer,
  openSecureTunnel,
  openTunnel,
  parseAnswer,
  rawExchange,
  readUntil,
  type Via,
} from "./support/client.ts";
import {
  demoSecret,
  eventually,
  HOST,
  type Ingress,
  ingresses,
  type Message,
  messageOn,
  OPEN_HOST,
  PLAIN_HOST,
  startWorld,
  viaOf,
  type World,
} from "./support/world.ts";

const DASHBOARD = /^http:\/\/localhost:\d+\/rules/;
const UNREACHABLE = "gone.demo.test";
const SILENT = "silent.demo.test";
const silent = createServer((socket) => socket.on("error", () => {}));

let world: World;
let strict: Via;
beforeAll(async () => {
  await new Promise<void>((done) => silent.listen(0, "127.0.0.1", done));
  const { port } = silent.address() as { port: number };
  world = await startWorld({
    origins: { [SILENT]: { port, asPort: 80 }, [UNREACHABLE]: { port: 1, asPort: 80 } },
  });
  const { gateway } = world;
  await demoSecret(gateway, { pathPattern: "/secret/*" });
  await gateway.rule({ name: "No writes", hostPattern: "*", pathPattern: "/blocked/*", action: "block" });
  await gateway.rule({
    name: "Once a day",
    hostPattern: "*",
    pathPattern: "/once",
    action: "rate_limit",
    rateLimit: 1,
    rateLimitWindow: "day",
  });
  const agent = await gateway.agent("strict", { defaultAction: "deny" });
  await gateway.rule({
    name: "Public",
    hostPattern: "*",
    pathPattern: "/public",
    action: "allow",
    agentId: agent.id,
  });
  strict = viaOf(gateway, agent.token);
});
afterAll(async () => {
  await world?.stop();
  silent.close();
});
beforeEach(() => {
  for (const origin of [world.origin, world.plain]) {
    origin.http.closeAllConnections();
    origin.handle((_, response) => response.end("ok"));
  }
});

async function sendOn(ingress: Ingress, via: Via, message: Message): Promise<Answer> {
  const socket = await ingress.open(via);
  socket.on("error", () => {});
  socket.write(messageOn(ingress, via, message));
  const text = await readUntil(socket, isWholeAnswer);
  socket.destroy();
  return parseAnswer(text);
}

interface Refused {
  readonly status: number;
  readonly error: string;
  readonly members?: Record<string, unknown>;
  readonly retry: boolean;
  readonly proxyStatus: string;
}

function expectRefusal(answer: Answer, { status, error, members = {}, retry, proxyStatus }: Refused): void {
  expect(answer.status).toBe(status);
  expect(answer.fields).toMatchObject({
    "content-type": "application/json",
    "cache-control": "no-store",
    "proxy-status": `onecli; error=${proxyStatus}`,
  });
  expect(answer.fields["x-should-retry"]).toBe(retry ? undefined : "false");
  const body = JSON.parse(answer.body) as Record<string, unknown>;
  expect(body).toMatchObject({ error, ...members });
  expect(typeof body["message"]).toBe("string");
}

interface Row extends Refused {
  readonly name: string;
  readonly by?: () => Via;
  readonly message: Message;
  /** what the same agent may send */
  readonly twin: Message;
  /** the query of the path that the record shows is left out */
  readonly recorded: string;
}

const rows = (ingress: Ingress): readonly Row[] => [
  {
    name: "a block",
    message: { method: "POST", path: "/blocked/x?q=1", fields: ["Content-Length: 0"] },
    twin: { method: "POST", path: "/other", fields: ["Content-Length: 0"] },
    status: 403,
    error: "blocked_by_policy",
    members: {
      rule_name: "No writes",
      method: "POST",
      path: "/blocked/x",
      dashboard_url: expect.stringMatching(DASHBOARD),
    },
    retry: false,
    proxyStatus: "http_request_denied",
    recorded: "/blocked/x",
  },
  {
    name: "a default of deny",
    by: () => strict,
    message: { path: "/private" },
    twin: { path: "/public" },
    status: 403,
    error: "blocked_by_default_policy",
    members: {
      method: "GET",
      host: ingress.host,
      path: "/private",
      dashboard_url: expect.stringMatching(DASHBOARD),
    },
    retry: false,
    proxyStatus: "http_request_denied",
    recorded: "/private",
  },
  {
    name: "a fake key that nobody exchanges here",
    message: { path: "/fake", fields: ["X-Api-Key: placeholder"] },
    twin: { path: "/fake", fields: ["X-Api-Key: mine"] },
    status: 403,
    error: "placeholder_not_injected",
    members: { secret: null, missing: "a secret for this host and path" },
    retry: false,
    proxyStatus: "http_request_denied",
    recorded: "/fake",
  },
  {
    name: "a path with two readings",
    message: { path: "/a/%00" },
    twin: { path: "/a/%20" },
    status: 400,
    error: "bad_request",
    retry: false,
    proxyStatus: "http_request_error",
    recorded: "/a/%00",
  },
  {
    name: "a second Host field",
    message: { path: "/host", fields: ["Host: evil.test"] },
    twin: { path: "/host" },
    status: 400,
    error: "bad_request",
    retry: false,
    proxyStatus: "http_request_error",
    recorded: "/host",
  },
  {
    name: "an unknown expectation",
    message: { method: "PUT", path: "/expect", fields: ["Expect: magic", "Content-Length: 0"] },
    twin: { method: "PUT", path: "/expect", fields: ["Content-Length: 0"] },
    status: 417,
    error: "expectation_failed",
    retry: false,
    proxyStatus: "http_request_error",
    recorded: "/expect",
  },
  {
    name: "201 fields",
    message: { path: "/many", fields: Array.from({ length: 201 }, (_, index) => `X-${index}: 1`) },
    twin: { path: "/many", fields: Array.from({ length: 190 }, (_, index) => `X-${index}: 1`) },
    status: 431,
    error: "fields_too_large",
    retry: false,
    proxyStatus: "http_request_error",
    recorded: "/many",
  },
  {
    name: "TRACE",
    message: { method: "TRACE", path: "/trace" },
    twin: { method: "OPTIONS", path: "/trace" },
    status: 501,
    error: "method_not_supported",
    retry: false,
    proxyStatus: "http_request_error",
    recorded: "/trace",
  },
];

describe.each(ingresses)("over $name", (ingress) => {
  test.each(rows(ingress))(
    "$name is answered $status $error, recorded once and dials nobody",
    async (row) => {
      const via = row.by?.() ?? world.via;
      const origin = ingress.origin(world);
      const socket = await ingress.open(via);
      socket.write(messageOn(ingress, via, row.twin));
      expect(parseAnswer(await readUntil(socket, isWholeAnswer)).status).toBe(200);
      socket.destroy();
      const { accepted, requests } = origin;
      const before = requests.length;
      const seen = (await world.gateway.audit()).length;
      expectRefusal(await sendOn(ingress, via, row.message), row);
      expect({ accepted: origin.accepted, requests: origin.requests.length }).toEqual({
        accepted,
        requests: before,
      });
      const records = (await world.gateway.audit()).slice(seen);
      expect(records).toMatchObject([
        {
          type: "refusal",
          code: row.error,
          status: row.status,
          path: row.recorded,
          authority: ingress.authority.replace(/:80$/, ingress.targetPrefix === "" ? ":80" : ""),
        },
      ]);
    },
  );

  test("a limit that is used up is answered 429 with the time to wait", async () => {
    const agent = await world.gateway.agent(`limited-${ingresses.indexOf(ingress)}`);
    const via = viaOf(world.gateway, agent.token);
    expect((await sendOn(ingress, via, { path: "/once" })).status).toBe(200);
    const { accepted } = ingress.origin(world);
    const answer = await sendOn(ingress, via, { path: "/once" });
    expectRefusal(answer, {
      status: 429,
      error: "rate_limited",
      members: { limit: 1, window: "day" },
      retry: true,
      proxyStatus: "http_request_denied",
    });
    expect(Number(answer.fields["retry-after"])).toBeGreaterThan(0);
    expect(ingress.origin(world).accepted).toBe(accepted);
  });

  test("HEAD is refused with the same fields and no body", async () => {
    const socket = await ingress.open(world.via);
    socket.write(messageOn(ingress, world.via, { method: "HEAD", path: "/blocked/x" }));
    const text = await readUntil(socket, (all) => all.includes("\r\n\r\n"));
    expect(parseAnswer(text)).toMatchObject({ status: 403, body: "" });
    expect(Number(parseAnswer(text).fields["content-length"])).toBeGreaterThan(0);
    socket.write(messageOn(ingress, world.via, { path: "/after" }));
    expect(parseAnswer(await readUntil(socket, isWholeAnswer)).status).toBe(200);
    socket.destroy();
  });

  test("a connection goes on after a refusal that leaves no doubt about its framing", async () => {
    const socket = await ingress.open(world.via);
    for (const [target, status] of [
      ["/blocked/x", 403],
      ["/fine", 200],
      ["/%00", 400],
      ["/fine", 200],
    ] as const) {
      socket.write(messageOn(ingress, world.via, { path: target }));
      expect(parseAnswer(await readUntil(socket, isWholeAnswer)).status).toBe(status);
    }
    socket.destroy();
  });

  test("too many calls at once are answered 503 and may be tried again", async () => {
    const bounds = limits as { exchangesPerAgentMax: number };
    const { exchangesPerAgentMax } = bounds;
    bounds.exchangesPerAgentMax = 1;
    const origin = ingress.origin(world);
    origin.handle((_, response) => setTimeout(() => response.end("ok"), 200));
    const first = sendOn(ingress, world.via, { path: "/slow" });
    await eventually(() => world.gateway.gateway.plane.live.exchanges.size === 1);
    const answer = await sendOn(ingress, world.via, { path: "/slow" });
    bounds.exchangesPerAgentMax = exchangesPerAgentMax;
    expectRefusal(answer, {
      status: 503,
      error: "overloaded",
      retry: true,
      proxyStatus: "connection_limit_reached",
    });
    expect(answer.fields["retry-after"]).toBe("1");
    expect((await first).status).toBe(200);
  });

  test("a call that can't be recorded is answered 503 and not made; afterwards calls pass again", async () => {
    const file = path.join(world.gateway.dataDir, "data", "gateway.db");
    const db = new Database(file);
    db.exec("ALTER TABLE audit_records RENAME TO audit_records_away");
    const { accepted, requests } = ingress.origin(world);
    const before = requests.length;
    const answer = await sendOn(ingress, world.via, { path: "/unrecorded" });
    db.exec("ALTER TABLE audit_records_away RENAME TO audit_records");
    db.close();
    expectRefusal(answer, {
      status: 503,
      error: "audit_unavailable",
      retry: true,
      proxyStatus: "proxy_internal_error",
    });
    expect(answer.fields["retry-after"]).toBe("1");
    expect({
      accepted: ingress.origin(world).accepted,
      requests: ingress.origin(world).requests.length,
    }).toEqual({ accepted, requests: before });
    expect(await eventually(() => world.gateway.gateway.plane.audit.healthy)).toBe(true);
    expect((await sendOn(ingress, world.via, { path: "/recorded" })).status).toBe(200);
  });

  test("a gateway that stops answers 503 to a new call", async () => {
    const socket = await ingress.open(world.via);
    world.gateway.gateway.plane.stopping = true;
    socket.write(messageOn(ingress, world.via, { path: "/late" }));
    const answer = parseAnswer(await readUntil(socket, isWholeAnswer));
    world.gateway.gateway.plane.stopping = false;
    expectRefusal(answer, {
      status: 503,
      error: "gateway_restarting",
      retry: true,
      proxyStatus: "proxy_internal_response",
    });
    expect(answer.fields).toMatchObject({ "retry-after": "1", connection: "close" });
    socket.destroy();
  });
});

describe("proxy credentials", () => {
  const good: readonly (readonly [string, (token: string) => string])[] = [
    ["Basic with the token as password", (token) => `Basic ${btoa(`x:${token}`)}`],
    ["Basic with any user", (token) => `Basic ${btoa(`somebody:${token}`)}`],
    ["Basic with the token as user", (token) => `Basic ${btoa(`${token}:`)}`],
    ["Bearer", (token) => `Bearer ${token}`],
    ["a scheme in capitals", (token) => `BASIC ${btoa(`x:${token}`)}`],
    ["a scheme in lower case", (token) => `bearer ${token}`],
  ];
  const bad: readonly (readonly [string, (token: string) => readonly string[]])[] = [
    ["none", () => []],
    ["an unknown token", () => [`Proxy-Authorization: ${basic(`aoc_${"0".repeat(64)}`)}`]],
    ["a token that is cut short", (token) => [`Proxy-Authorization: ${basic(token.slice(0, -1))}`]],
    ["another scheme", (token) => [`Proxy-Authorization: Digest ${token}`]],
    ["no scheme", (token) => [`Proxy-Authorization: ${token}`]],
    [
      "two fields",
      (token) => [`Proxy-Authorization: ${basic(token)}`, `Proxy-Authorization: ${basic(token)}`],
    ],
    ["the origin's field", (token) => [`Authorization: ${basic(token)}`]],
    ["an admin key", () => [`Proxy-Authorization: ${basic(world.gateway.apiKey)}`]],
  ];
  const connectWith = async (fields: readonly string[]) => {
    const socket = await connectTo(world.gateway.port);
    socket.write([`CONNECT ${HOST}:443 HTTP/1.1`, `Host: ${HOST}:443`, ...fields, "", ""].join("\r\n"));
    const text = await readUntil(socket, (all) => all.includes("\r\n\r\n"));
    socket.destroy();
    return text;
  };
  const absoluteWith = (fields: readonly string[]) =>
    rawExchange(
      world.gateway.port,
      [`GET http://${PLAIN_HOST}/ HTTP/1.1`, `Host: ${PLAIN_HOST}`, ...fields, "", ""].join("\r\n"),
    );

  test.each(good)("as %s open a tunnel and carry a call in absolute form", async (_, write) => {
    const field = `Proxy-Authorization: ${write(world.agent.token)}`;
    expect(await connectWith([field])).toMatch(/^HTTP\/1\.1 200 /);
    expect(parseAnswer(await absoluteWith([field])).status).toBe(200);
  });

  test.each(bad)("as %s are answered 407 without a body, and dial nobody", async (_, write) => {
    const accepted = world.origin.accepted + world.plain.accepted;
    for (const text of [
      await connectWith(write(world.agent.token)),
      await absoluteWith(write(world.agent.token)),
    ]) {
      expect(parseAnswer(text)).toMatchObject({
        status: 407,
        fields: {
          "proxy-authenticate": 'Basic realm="OneCLI Gateway"',
          "content-length": "0",
          connection: "close",
        },
        body: "",
      });
    }
    expect(world.origin.accepted + world.plain.accepted).toBe(accepted);
  });
});

describe("destinations", () => {
  const viaTunnel = async (authority: string): Promise<Answer> => {
    const { socket, answer } = await openTunnel(world.via, authority);
    if (!answer.startsWith("HTTP/1.1 200"))
      return parseAnswer(answer + (await readUntil(socket, undefined, 200)));
    socket.destroy();
    const secure = await openSecureTunnel(world.via, authority);
    secure.write(`GET / HTTP/1.1\r\nHost: ${authority.replace(/:443$/, "")}\r\n\r\n`);
    const text = await readUntil(secure, isWholeAnswer);
    secure.destroy();
    return parseAnswer(text);
  };
  const viaAbsolute = async (authority: string): Promise<Answer> =>
    parseAnswer(
      await rawExchange(
        world.gateway.port,
        `GET http://${authority}/ HTTP/1.1\r\nHost: ${authority}\r\nProxy-Authorization: ${basic(world.agent.token)}\r\n\r\n`,
      ),
    );
  const expected = {
    status: 403,
    error: "destination_not_allowed",
    retry: false,
    proxyStatus: "destination_ip_prohibited",
  };

  test.each([
    "10.0.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "127.0.0.1",
    "0.0.0.0",
    "[::1]",
    "[fd00::1]",
    "[::ffff:127.0.0.1]",
    "100.64.0.1",
    "224.0.0.1",
  ])("%s is refused through a tunnel and in absolute form", async (host) => {
    for (const answer of [
      await viaTunnel(`${host}:443`),
      await viaAbsolute(`${host}:80`),
      await viaAbsolute(host),
    ]) {
      expectRefusal(answer, expected);
      expect(JSON.parse(answer.body)).toHaveProperty("host");
    }
  });

  test("the gateway's own port is refused, whatever the way", async () => {
    const own = `127.0.0.1:${world.gateway.port}`;
    for (const answer of [await viaTunnel(own), await viaAbsolute(own)]) expectRefusal(answer, expected);
  });

  test.each([22, 25, 6379, 8443])(
    "port %i is refused through a tunnel and in absolute form until something names it",
    async (port) => {
      for (const answer of [
        await viaTunnel(`${OPEN_HOST}:${port}`),
        await viaAbsolute(`${OPEN_HOST}:${port}`),
      ]) {
        expectRefusal(answer, expected);
        expect(JSON.parse(answer.body)).toMatchObject({ host: `${OPEN_HOST}:${port}` });
      }
      const { id } = await world.gateway.rule({
        name: "Named",
        hostPattern: `${OPEN_HOST}:${port}`,
        action: "allow",
      });
      expect((await openTunnel(world.via, `${OPEN_HOST}:${port}`)).answer).toMatch(/^HTTP\/1\.1 200 /);
      await world.gateway.api("DELETE", `/v1/rules/${id}`);
    },
  );

  test("a refusal at the dial is a pair of records that says so", async () => {
    await viaAbsolute("10.0.0.1");
    const [open, close] = (await world.gateway.audit()).slice(-2);
    expect(open).toMatchObject({ type: "open", authority: "10.0.0.1:80" });
    expect(close).toMatchObject({
      type: "close",
      outcome: "refused",
      error: "destination_not_allowed",
      status: 403,
    });
  });
});

describe("an origin", () => {
  const call = async (host: string): Promise<Answer> =>
    parseAnswer(
      await rawExchange(
        world.gateway.port,
        `GET http://${host}/ HTTP/1.1\r\nHost: ${host}\r\nProxy-Authorization: ${basic(world.agent.token)}\r\n\r\n`,
      ),
    );

  test("that nobody listens at is answered 502", async () => {
    expectRefusal(await call(UNREACHABLE), {
      status: 502,
      error: "origin_unreachable",
      members: { host: UNREACHABLE },
      retry: true,
      proxyStatus: "destination_unavailable",
    });
  });

  test("that does not answer is answered 504", async () => {
    const bounds = limits as { originHeadersTimeoutMs: number };
    const { originHeadersTimeoutMs } = bounds;
    bounds.originHeadersTimeoutMs = 300;
    const answer = await call(SILENT);
    bounds.originHeadersTimeoutMs = originHeadersTimeoutMs;
    expectRefusal(answer, {
      status: 504,
      error: "origin_timeout",
      members: { host: SILENT },
      retry: true,
      proxyStatus: "http_response_timeout",
    });
  });

  test.each([401, 403])(
    "that answers %i is heard itself: with a hint where nothing was injected, without one elsewhere",
    async (status) => {
      world.origin.handle((_, response) =>
        response.writeHead(status, { "www-authenticate": "Bearer x" }).end("no"),
      );
      const secure = ingresses[0] as Ingress;
      const plain = await sendOn(secure, world.via, { path: "/open?x=1" });
      expect(plain).toMatchObject({ status, body: "no", fields: { "www-authenticate": "Bearer x" } });
      expect(plain.fields["x-onecli-hint"]).toMatch(
        /^http:\/\/localhost:\d+\/secrets\/new\?host=api\.demo\.test&path=%2Fopen$/,
      );
      const injected = await sendOn(secure, world.via, { path: "/secret/x" });
      expect(injected).toMatchObject({ status, body: "no" });
      expect(injected.fields).not.toHaveProperty("x-onecli-hint");
    },
  );
});
