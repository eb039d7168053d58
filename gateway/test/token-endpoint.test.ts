// Tokens that an origin issues for a sealed secret stay with the gateway; the agent works with fake ones.
import path from "node:path";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import zlib from "node:zlib";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Answer, parseAnswer, tunnelExchange } from "./support/client.ts";
import { startGateway, type TestGateway } from "./support/gateway.ts";
import { type Origin, type OriginHandler, startOrigin } from "./support/origin.ts";
import { eventually, valuesOf, viaOf } from "./support/world.ts";

const LOGIN = "login.demo.test";
const API = "api.demo.test";
const OTHER = "other.demo.test";
const REFRESH = "real-refresh-0123456789";
const FAKE = /^OneCLIFake[0-9A-Za-z]{38}$/;
const apiKey = `oc_${"7".repeat(64)}`;

let dataDir: string;
let origin: Origin;
let gateway: TestGateway;
let agent: { id: string; token: string };
let secretId: string;
let fakeRefresh: string;
/** the real tokens that were issued in this test */
let issued: string[];

beforeEach(async () => {
  issued = [];
  dataDir = mkdtempSync(path.join(tmpdir(), "onecli-tokens-"));
  origin = await startOrigin({ tls: true, names: [LOGIN, API, OTHER] });
  origin.handle((request, response) => {
    if (request.method === "POST") answerJson(response, fresh({ expires_in: 3600 }));
    else response.end("ok");
  });
  gateway = await start();
  agent = await gateway.agent("worker");
  ({ id: secretId } = await gateway.secret({
    name: "Account",
    type: "generic",
    value: REFRESH,
    hostPattern: LOGIN,
    pathPattern: "/token",
    envName: "ACCOUNT_REFRESH_TOKEN",
    injectionConfig: { placeholder: ["body"] },
    issuesTokens: { hostPattern: API },
  }));
  fakeRefresh = await fakeOf("worker");
});
afterEach(async () => {
  await gateway?.stop();
  await origin?.close();
  rmSync(dataDir, { recursive: true, force: true });
});

function start(): Promise<TestGateway> {
  const served = { port: origin.port, ca: origin.ca };
  return startGateway({ dataDir, apiKey, origins: { [LOGIN]: served, [API]: served, [OTHER]: served } });
}

async function fakeOf(identifier: string): Promise<string> {
  const config = await gateway.api("GET", `/v1/container-config?agent=${identifier}`);
  return (config.body as { env: Record<string, string> }).env["ACCOUNT_REFRESH_TOKEN"] as string;
}

/** A token answer with new real tokens. */
function fresh(more: object = {}): Record<string, unknown> {
  const access = `real-access-${issued.length}-${"a".repeat(20)}`;
  const refresh = `real-refresh-${issued.length}-${"r".repeat(20)}`;
  issued.push(access, refresh);
  return { access_token: access, token_type: "Bearer", refresh_token: refresh, ...more };
}

type Response = Parameters<OriginHandler>[1];

function answerJson(response: Response, body: unknown): void {
  response.writeHead(200, { "content-type": "application/json;charset=UTF-8", "cache-control": "no-store" });
  response.end(typeof body === "string" ? body : JSON.stringify(body));
}

async function send(host: string, lines: string, { body = "", token = agent.token } = {}): Promise<Answer> {
  const request = `${lines}\r\nHost: ${host}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const text = await tunnelExchange(viaOf(gateway, token), `${host}:443`, request);
  for (const value of [REFRESH, ...issued]) expect(text).not.toContain(value);
  return parseAnswer(text);
}

async function renew(refreshToken = fakeRefresh, token = agent.token): Promise<Answer> {
  const form = "Content-Type: application/x-www-form-urlencoded";
  const body = `grant_type=refresh_token&refresh_token=${refreshToken}`;
  return send(LOGIN, `POST /token HTTP/1.1\r\n${form}`, { body, token });
}

interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
}
const renewed = async (refreshToken = fakeRefresh): Promise<Tokens> =>
  JSON.parse((await renew(refreshToken)).body) as Tokens;

const call = (bearer: string, host = API, token = agent.token): Promise<Answer> =>
  send(host, `GET /v1/me HTTP/1.1\r\nAuthorization: Bearer ${bearer}`, { token });

const seen = (name: string): string[] => valuesOf(origin.requests.at(-1)?.rawHeaders, name);

interface Listed {
  id: string;
  name: string;
  hostPattern: string;
  issued: object | null;
}
async function listed(): Promise<Listed[]> {
  const { body } = await gateway.api("GET", "/v1/secrets");
  return (body as Listed[]).filter(({ issued }) => issued !== null);
}

describe("a sealed refresh token at its token endpoint", () => {
  test("reaches the origin, and the agent gets fake tokens with the rest of the answer as it was", async () => {
    const answer = await renew();
    expect(origin.requests[0]?.body.toString()).toBe(`grant_type=refresh_token&refresh_token=${REFRESH}`);
    const body = JSON.parse(answer.body) as Tokens;
    expect(body).toEqual({
      access_token: expect.stringMatching(FAKE),
      token_type: "Bearer",
      refresh_token: expect.stringMatching(FAKE),
      expires_in: 3600,
    });
    expect(body.access_token).not.toBe(body.refresh_token);
    expect(answer.fields).toMatchObject({
      "content-length": String(answer.body.length),
      "cache-control": "no-store",
    });
  });

  test("the fake access token is the real one on the API's host", async () => {
    const { access_token: access } = await renewed();
    expect((await call(access)).status).toBe(200);
    expect(seen("authorization")).toEqual([`Bearer ${issued[0]}`]);
  });

  test("an origin that echoes the access token shows the agent its fake one", async () => {
    const { access_token: access } = await renewed();
    origin.handle((request, response) => response.end(request.headers.authorization));
    expect((await call(access)).body).toBe(`Bearer ${access}`);
  });

  test("the fake tokens have no place elsewhere", async () => {
    const { access_token: access, refresh_token: refresh } = await renewed();
    const sent = origin.requests.length;
    for (const [fake, host] of [
      [access, OTHER],
      [access, LOGIN],
      [refresh, API],
    ] as const) {
      const answer = await call(fake, host);
      expect(answer.status).toBe(403);
      expect(JSON.parse(answer.body)).toMatchObject({ error: "placeholder_not_injected" });
    }
    expect(origin.requests).toHaveLength(sent);
  });

  test("another agent can use the secret, and not these tokens", async () => {
    const { access_token: access, refresh_token: refresh } = await renewed();
    const other = await gateway.agent("other");
    expect(await call(access, API, other.token)).toMatchObject({ status: 403 });
    expect(await renew(refresh, other.token)).toMatchObject({ status: 403 });
    expect(await renew(await fakeOf("other"), other.token)).toMatchObject({ status: 200 });
  });

  test("a rotated refresh token is used in its turn, and what it gets is kept too", async () => {
    const first = await renewed();
    const second = await renewed(first.refresh_token);
    expect(origin.requests.at(-1)?.body.toString()).toContain(`refresh_token=${issued[1]}`);
    expect(second.refresh_token).not.toBe(first.refresh_token);
    await call(second.access_token);
    expect(seen("authorization")).toEqual([`Bearer ${issued[2]}`]);
    expect(await renew(second.refresh_token)).toMatchObject({ status: 200 });
    expect(origin.requests.at(-1)?.body.toString()).toContain(`refresh_token=${issued[3]}`);
  });

  test("a token that comes again keeps its fake one", async () => {
    const same = JSON.stringify({ ...fresh(), refresh_token: REFRESH });
    origin.handle((_, response) => answerJson(response, same));
    const first = await renewed();
    expect(first.refresh_token).toBe(fakeRefresh);
    expect(await renewed()).toEqual(first);
    expect(await listed()).toHaveLength(1);
  });

  test("keeps the newest of an agent's tokens, and refresh tokens apart from them", async () => {
    const first = await renewed();
    origin.handle((_, response) => answerJson(response, { ...fresh(), refresh_token: undefined }));
    for (let round = 0; round < 16; round += 1) await renewed(first.refresh_token);
    expect(await listed()).toHaveLength(17);
    expect(await call(first.access_token)).toMatchObject({ status: 403 });
    expect(await renew(first.refresh_token)).toMatchObject({ status: 200 });
  });
});

describe("the answer of a token endpoint", () => {
  const plain = { access_token: expect.stringMatching(FAKE), refresh_token: expect.stringMatching(FAKE) };

  test.each<[string, (response: Response) => void]>([
    [
      "in chunks, cut anywhere",
      (response) => {
        response.writeHead(200, { "content-type": "application/json" });
        for (const character of JSON.stringify(fresh())) response.write(character);
        response.end();
      },
    ],
    [
      "in gzip, which it was not offered",
      (response) => {
        const fields = { "content-type": "application/json", "content-encoding": "gzip", etag: '"1"' };
        response.writeHead(200, fields).end(zlib.gzipSync(JSON.stringify(fresh())));
      },
    ],
    ["with a byte order mark", (response) => answerJson(response, `\ufeff${JSON.stringify(fresh())}`)],
    ["as JSON that says it is text", (response) => void response.end(JSON.stringify(fresh()))],
    ["with status 201", (response) => void response.writeHead(201).end(JSON.stringify(fresh()))],
  ])("%s: its tokens are exchanged", async (_, handler) => {
    origin.handle((_request, response) => handler(response));
    const answer = await renew();
    expect(JSON.parse(answer.body)).toMatchObject(plain);
    expect(answer.fields).not.toHaveProperty("content-encoding");
    expect(answer.fields).not.toHaveProperty("etag");
  });

  test("wrapped, in camel case and in a form: its tokens are exchanged", async () => {
    origin.handle((_, response) =>
      answerJson(response, { data: [{ accessToken: fresh()["access_token"] }] }),
    );
    expect(JSON.parse((await renew()).body)).toEqual({
      data: [{ accessToken: expect.stringMatching(FAKE) }],
    });
    origin.handle((_, response) => {
      const type = { "content-type": "application/x-www-form-urlencoded" };
      response.writeHead(200, type).end(`access_token=${String(fresh()["access_token"])}&scope=repo%2Cgist`);
    });
    expect((await renew()).body).toMatch(/^access_token=OneCLIFake[0-9A-Za-z]{38}&scope=repo%2Cgist$/);
  });

  test("has no real token in a field or under another name either", async () => {
    origin.handle((_, response) => {
      const tokens = fresh();
      response.setHeader("set-cookie", `session=${String(tokens["access_token"])}`);
      answerJson(response, { ...tokens, session: { key: tokens["access_token"] } });
    });
    const answer = await renew();
    const body = JSON.parse(answer.body) as Tokens & { session: { key: string } };
    expect(body.session.key).toBe(body.access_token);
    expect(answer.fields["set-cookie"]).toBe(`session=${body.access_token}`);
  });

  test.each<[string, (response: Response) => void]>([
    ["JSON that breaks off", (response) => answerJson(response, JSON.stringify(fresh()).slice(0, -1))],
    [
      "a name that stands twice",
      (response) => answerJson(response, JSON.stringify(fresh()).replace("{", '{"access_token":"x",')),
    ],
    [
      "a name that stands twice, once escaped",
      (response) => answerJson(response, JSON.stringify(fresh()).replace("{", '{"access\\u005ftoken":"x",')),
    ],
    ["a token that is no string", (response) => answerJson(response, { access_token: { value: fresh() } })],
    ["more than is held", (response) => answerJson(response, fresh({ more: "x".repeat(70_000) }))],
    [
      "a page that names a token",
      (response) => void response.end(`<script>access_token="${String(fresh()["access_token"])}"</script>`),
    ],
    ["UTF-16", (response) => void response.end(Buffer.from(JSON.stringify(fresh()), "utf16le"))],
    [
      "a bomb",
      (response) => {
        const fields = { "content-type": "application/json", "content-encoding": "gzip" };
        const body = JSON.stringify(fresh({ more: "x".repeat(1_000_000) }));
        response.writeHead(200, fields).end(zlib.gzipSync(body));
      },
    ],
    [
      "a coding that is damaged",
      (response) => {
        const fields = { "content-type": "application/json", "content-encoding": "gzip" };
        response.writeHead(200, fields).end(JSON.stringify(fresh()));
      },
    ],
    [
      "a coding that nobody knows",
      (response) => void response.writeHead(200, { "content-encoding": "rot13" }).end("x"),
    ],
  ])("with %s is not passed on, and nothing is kept of it", async (_, handler) => {
    origin.handle((_request, response) => handler(response));
    const answer = await renew();
    expect(answer.status).toBe(502);
    expect(JSON.parse(answer.body)).toMatchObject({ error: "origin_protocol_error" });
    expect(await listed()).toEqual([]);
    expect((await gateway.audit()).at(-1)).toMatchObject({ outcome: "refused" });
  });

  test.each<[string, number, string]>([
    ["an error", 400, '{"error":"invalid_grant","error_description":"refresh_token is unknown"}'],
    ["a success without tokens", 200, '{"active":true,"token_type":"access_token"}'],
    ["another page", 200, "<p>signed in</p>"],
    ["nothing", 200, ""],
  ])("that is %s comes as it is", async (_, status, body) => {
    origin.handle((_request, response) =>
      response.writeHead(status, { "content-type": "text/plain" }).end(body),
    );
    expect(await renew()).toMatchObject({ status, body });
  });

  test("whose tokens can't be kept is not passed on", async () => {
    origin.handle((_, response) => {
      const off = gateway.api("PATCH", `/v1/secrets/${secretId}`, { issuesTokens: null });
      void off.then(() => answerJson(response, fresh()));
    });
    expect(await renew()).toMatchObject({ status: 502 });
    expect(await listed()).toEqual([]);
  });

  test("cut off by the origin is not passed on", async () => {
    origin.handle((_, response) => {
      response.writeHead(200, { "content-type": "application/json", "content-length": "500" });
      response.write(JSON.stringify(fresh()), () => response.destroy());
    });
    expect(await renew()).toMatchObject({ status: 502 });
    expect(await listed()).toEqual([]);
  });
});

describe("issued tokens", () => {
  test("are listed with where they come from, are deleted, and are not changed", async () => {
    const { access_token: access } = await renewed();
    const [token, refresh] = (await listed()).sort((a, b) => (a.name < b.name ? -1 : 1));
    expect(token).toMatchObject({
      name: "Account: access token",
      hostPattern: API,
      issued: { bySecretId: secretId, toAgentId: agent.id, expiresAt: expect.stringMatching(/Z$/) },
    });
    expect(refresh).toMatchObject({
      name: "Account: refresh token",
      hostPattern: LOGIN,
      pathPattern: "/token",
    });
    expect(refresh?.issued).toMatchObject({ expiresAt: null });
    const target = `/v1/secrets/${token?.id}`;
    expect(await gateway.api("PATCH", target, { hostPattern: OTHER })).toMatchObject({ status: 409 });
    expect(await gateway.api("DELETE", target)).toMatchObject({ status: 204 });
    expect(await call(access)).toMatchObject({ status: 403 });
  });

  test("are not handed to a container, nor assigned to an agent", async () => {
    await renewed();
    const config = await gateway.api("GET", "/v1/container-config?agent=worker");
    expect((config.body as { placeholders: object[] }).placeholders).toHaveLength(1);
    const secretIds = (await listed()).map(({ id }) => id);
    expect(await gateway.api("PUT", `/v1/agents/${agent.id}/secrets`, { secretIds })).toMatchObject({
      status: 400,
    });
  });

  test("survive a restart", async () => {
    const { access_token: access } = await renewed();
    await gateway.stop();
    gateway = await start();
    expect(await call(access)).toMatchObject({ status: 200 });
    expect(seen("authorization")).toEqual([`Bearer ${issued[0]}`]);
  });

  test.each<[string, () => Promise<unknown>]>([
    ["their secret is deleted", () => gateway.api("DELETE", `/v1/secrets/${secretId}`)],
    [
      "their secret's tokens are for another host",
      () => gateway.api("PATCH", `/v1/secrets/${secretId}`, { issuesTokens: { hostPattern: OTHER } }),
    ],
    [
      "their secret issues none any more",
      () => gateway.api("PATCH", `/v1/secrets/${secretId}`, { issuesTokens: null }),
    ],
  ])("go when %s", async (_, change) => {
    const { access_token: access } = await renewed();
    await change();
    expect(await listed()).toEqual([]);
    expect(await call(access)).toMatchObject({ status: 403 });
  });

  test("rest while their agent has no right to their secret", async () => {
    const { access_token: access } = await renewed();
    await gateway.api("PATCH", `/v1/agents/${agent.id}/secret-mode`, { mode: "selective" });
    expect(await call(access)).toMatchObject({ status: 403 });
    await gateway.api("PUT", `/v1/agents/${agent.id}/secrets`, { secretIds: [secretId] });
    expect(await call(access)).toMatchObject({ status: 200 });
  });

  test("go with their agent", async () => {
    await renewed();
    await gateway.api("DELETE", `/v1/agents/${agent.id}`);
    expect(await listed()).toEqual([]);
  });

  test("go out for a day after their end, so that the origin says so, and are gone then", async () => {
    const { access_token: access } = await renewed();
    await expireAll(1_000);
    expect(await call(access)).toMatchObject({ status: 200 });
    await expireAll(86_400_000);
    expect(await eventually(() => isGone(access))).toBe(true);
    expect(await call(access)).toMatchObject({ status: 403 });
  });

  test("stand in the audit by name, and no value stands in a file", async () => {
    await renewed();
    const records = await gateway.audit();
    const events = records.filter(({ action }) => action === "secret.token_issued");
    expect(events).toHaveLength(2);
    expect(events[0]).toMatchObject({ actor: "gateway" });
    expect(JSON.stringify(events)).toContain("Account: access token");
    expect(JSON.stringify(events)).toContain(agent.id);
    const files = readdirSync(dataDir, { recursive: true, withFileTypes: true }).filter((it) => it.isFile());
    for (const { parentPath, name } of files) {
      const text = readFileSync(path.join(parentPath, name)).toString("latin1");
      for (const value of [REFRESH, ...issued]) expect(text.includes(value), name).toBe(false);
    }
  });
});

/** The gateway starts again and finds tokens whose life ended so long ago. */
async function expireAll(agoMs: number): Promise<void> {
  await gateway.stop();
  const db = new Database(databaseFile());
  db.prepare("UPDATE secrets SET expires_at = ? WHERE issued_by IS NOT NULL").run(Date.now() - agoMs);
  db.close();
  gateway = await start();
}

function databaseFile(): string {
  const file = readdirSync(path.join(dataDir, "data")).find((name) => /\.(db|sqlite3?)$/.test(name));
  return path.join(dataDir, "data", file ?? "");
}

function isGone(placeholder: string): boolean {
  const credentials = gateway.gateway.plane.policy.current.credentialsOf(agent.id);
  return !credentials.some(({ issued }) => issued?.placeholder === placeholder);
}

describe("a secret that issues tokens", () => {
  const described = {
    name: "Client",
    type: "generic",
    value: "real-client-secret-0123",
    hostPattern: OTHER,
    injectionConfig: { headerName: "x-client-secret" },
  };

  test("is refused with a place that is none", async () => {
    for (const issuesTokens of [{ hostPattern: "*.com" }, { hostPattern: API, pathPattern: "nope" }]) {
      const answer = await gateway.api("POST", "/v1/secrets", { ...described, issuesTokens });
      expect(answer.status).toBe(400);
    }
  });

  test("comes with a warning when every answer of its host would be read", async () => {
    const body = { ...described, issuesTokens: { hostPattern: API } };
    expect((await gateway.api("POST", "/v1/secrets", body)).body).toMatchObject({
      warnings: [expect.stringContaining("token endpoint")],
    });
  });

  test("may be a client secret that the gateway places by itself", async () => {
    await gateway.secret({ ...described, pathPattern: "/oauth/*", issuesTokens: { hostPattern: API } });
    const answer = await send(OTHER, "POST /oauth/token HTTP/1.1", { body: "grant_type=client_credentials" });
    const { access_token: access } = JSON.parse(answer.body) as Tokens;
    expect(access).toMatch(FAKE);
    await call(access);
    expect(seen("authorization")).toEqual([`Bearer ${issued[0]}`]);
  });

  test("may be too short to be found in answers", async () => {
    const client = {
      ...described,
      value: "short",
      pathPattern: "/oauth/*",
      issuesTokens: { hostPattern: API },
    };
    await gateway.secret(client);
    const answer = await send(OTHER, "POST /oauth/token HTTP/1.1\r\nAccept-Encoding: br");
    expect(seen("accept-encoding")).toEqual(["identity"]);
    expect((JSON.parse(answer.body) as Tokens).access_token).toMatch(FAKE);
    origin.handle((_, response) => response.writeHead(400).end('{"error":"invalid_client"}'));
    expect(await send(OTHER, "POST /oauth/token HTTP/1.1")).toMatchObject({ status: 400 });
  });

  test("and one that does not leaves the answer alone", async () => {
    await gateway.secret({ ...described, pathPattern: "/oauth/*" });
    origin.handle((_, response) => answerJson(response, { access_token: "a-token-for-the-agent" }));
    const answer = await send(OTHER, "POST /oauth/token HTTP/1.1", { body: "grant_type=client_credentials" });
    expect(JSON.parse(answer.body)).toEqual({ access_token: "a-token-for-the-agent" });
  });
});
