// The published Go command line tool 1.x, replayed: the requests that it was recorded to make, in the order of a first
// set-up and of its commands, and what it needs in the answers. It prints `error` only when that is a string.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startGateway, type TestGateway } from "../support/gateway.ts";

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway?.stop());

interface Answer<T> {
  readonly status: number;
  readonly type: string;
  readonly body: T;
}

interface Call {
  readonly body?: unknown;
  /** null = no Authorization field at all */
  readonly key?: string | null;
}

async function call<T = unknown>(
  line: string,
  { body, key = gateway.apiKey }: Call = {},
): Promise<Answer<T>> {
  const [method = "", target = ""] = line.split(" ");
  const response = await fetch(`${gateway.url}/api/${target}`, {
    method,
    headers: {
      "user-agent": "Go-http-client/1.1",
      "accept-encoding": "gzip",
      "content-type": "application/json",
      ...(key === null ? {} : { authorization: `Bearer ${key}` }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const type = response.headers.get("content-type") ?? "";
  return { status: response.status, type, body: (/^[[{]/.test(text) ? JSON.parse(text) : text) as T };
}

const done = { success: true };
const created = async <T>(line: string, body: unknown) => {
  const answer = await call<T>(line, { body });
  expect(answer.status).toBe(201);
  return answer.body;
};

describe("an installer that sets the tool up", () => {
  test("waits for health, which needs no key", async () => {
    expect(await call("GET health", { key: null })).toMatchObject({
      status: 200,
      body: { status: "ok", version: expect.any(String) as string, timestamp: expect.any(String) as string },
    });
  });

  test("logs in by asking who the key belongs to", async () => {
    expect((await call("GET user")).body).toMatchObject({
      id: expect.any(String) as string,
      email: expect.any(String) as string,
      name: expect.any(String) as string,
      createdAt: expect.any(String) as string,
    });
  });

  test("stores the Anthropic key and finds it in the list without its value", async () => {
    const value = "sk-ant-api03-the-real-one-0123456789";
    const body = { name: "Anthropic", type: "anthropic", value, hostPattern: "api.anthropic.com" };
    const made = await created<{ id: string; preview: string }>("POST secrets", body);
    expect(made).toMatchObject({ name: "Anthropic", type: "anthropic", valueSource: "inline", opRef: null });
    expect(made.preview).not.toContain("the-real-one");
    const list = await call<Record<string, unknown>[]>("GET secrets");
    expect(list.body).toMatchObject([
      {
        id: made.id,
        name: "Anthropic",
        type: "anthropic",
        hostPattern: "api.anthropic.com",
        scope: "project",
      },
    ]);
    expect(JSON.stringify([made, list])).not.toContain(value);
  });

  test("starts a program with the configuration of the default agent, made on the fly", async () => {
    const { body } = await call<{ env: Record<string, string>; caCertificate: string }>(
      "GET container-config",
    );
    expect(body.env).toMatchObject({ ANTHROPIC_API_KEY: "placeholder", NODE_USE_ENV_PROXY: "1" });
    expect(body.caCertificate).toMatch(/^-----BEGIN CERTIFICATE-----/);
    expect((await call("GET agents/default")).body).toMatchObject({ identifier: "default", isDefault: true });
  });
});

describe("the agents commands", () => {
  test("create, list, rename, assign, regenerate and delete", async () => {
    const body = { name: "Research", identifier: "research" };
    const { id } = await created<{ id: string }>("POST agents", body);
    const { body: list } = await call<Record<string, unknown>[]>("GET agents");
    expect(list.find((agent) => agent["id"] === id)).toMatchObject({
      ...body,
      isDefault: false,
      secretMode: "all",
      accessToken: expect.stringMatching(/^aoc_(?![0-9a-f]{64}$)/) as string,
      _count: { agentSecrets: 0, agentAppConnections: 0 },
    });
    expect(await call(`PATCH agents/${id}`, { body: { name: "Renamed" } })).toMatchObject({ body: done });
    const secret = await created<{ id: string }>("POST secrets", {
      name: "Assigned",
      type: "generic",
      value: "assigned-value-0123456789",
      hostPattern: "assigned.demo.test",
      injectionConfig: { headerName: "X-Key", valueFormat: "{value}" },
    });
    const assigned = { secretIds: [secret.id] };
    expect(await call(`PUT agents/${id}/secrets`, { body: assigned })).toMatchObject({ body: done });
    const mode = { mode: "selective" };
    expect(await call(`PATCH agents/${id}/secret-mode`, { body: mode })).toMatchObject({ body: done });
    expect((await call(`GET agents/${id}/secrets`)).body).toEqual([secret.id]);
    const unknown = { secretIds: ["nothing"] };
    expect(await call(`PUT agents/${id}/secrets`, { body: unknown })).toMatchObject({ status: 400 });
    expect((await call(`POST agents/${id}/regenerate-token`)).body).toEqual({
      accessToken: expect.stringMatching(/^aoc_[0-9a-f]{64}$/) as string,
    });
    expect(await call(`DELETE agents/${id}`)).toMatchObject({ status: 204, body: "" });
    expect(await call(`DELETE agents/${id}`)).toMatchObject({ status: 404 });
  });

  test("do not delete the default agent", async () => {
    const { body } = await call<{ id: string }>("GET agents/default");
    expect(await call(`DELETE agents/${body.id}`)).toMatchObject({ status: 400 });
  });

  test("set another default agent", async () => {
    const { id } = await created<{ id: string }>("POST agents", { name: "Next", identifier: "next" });
    expect(await call(`POST agents/${id}/set-default`)).toMatchObject({ status: 200, body: done });
    expect((await call("GET agents/default")).body).toMatchObject({ id });
  });
});

describe("the secrets commands", () => {
  test("create, change and delete", async () => {
    const body = {
      name: "S",
      type: "generic",
      value: "first-value",
      hostPattern: "s.demo.test",
      pathPattern: "/v1/*",
    };
    const injectionConfig = { headerName: "Authorization", valueFormat: "Bearer {value}" };
    const { id } = await created<{ id: string }>("POST secrets", { ...body, injectionConfig });
    for (const change of [{ name: "T" }, { value: "second-value" }, { hostPattern: "t.demo.test" }])
      expect(await call(`PATCH secrets/${id}`, { body: change })).toMatchObject({ status: 200, body: done });
    const { body: list } = await call<{ id: string }[]>("GET secrets");
    expect(list.find((secret) => secret.id === id)).toMatchObject({
      name: "T",
      hostPattern: "t.demo.test",
      pathPattern: "/v1/*",
      injectionConfig,
      typeLabel: expect.any(String) as string,
    });
    expect(await call(`DELETE secrets/${id}`)).toMatchObject({ status: 204 });
  });

  test("with a flag that 1.4 loses on the way are refused instead of stored without a place", async () => {
    // `--json '{"injectionConfig":{"paramName":"key"}}'` leaves it as an empty headerName.
    const body = {
      name: "L",
      type: "generic",
      value: "v",
      hostPattern: "l.demo.test",
      injectionConfig: { headerName: "" },
    };
    expect(await call("POST secrets", { body })).toMatchObject({
      status: 400,
      body: { error: expect.stringContaining("injectionConfig") as string },
    });
  });
});

describe("the rules commands", () => {
  test.each([
    ["block", {}],
    ["rate_limit", { rateLimit: 100, rateLimitWindow: "hour" }],
  ])("create, get, change and delete a rule that says %s", async (action, limit) => {
    const body = { name: "R", hostPattern: "r.demo.test", action, enabled: true, method: "POST", ...limit };
    const made = await created<{ id: string }>("POST rules", body);
    expect(made).toMatchObject({
      ...body,
      pathPattern: null,
      agentId: null,
      conditions: null,
      scope: "project",
    });
    expect((await call(`GET rules/${made.id}`)).body).toEqual(made);
    expect((await call("GET rules")).body).toContainEqual(made);
    // The tool prints what comes back as the rule.
    const changed = await call(`PATCH rules/${made.id}`, { body: { enabled: false, name: "Renamed" } });
    expect(changed).toMatchObject({
      status: 200,
      body: { ...made, ...done, enabled: false, name: "Renamed" },
    });
    expect(await call(`DELETE rules/${made.id}`)).toMatchObject({ status: 204 });
  });
});

describe("what is not offered", () => {
  test.each([
    ["GET apps", 200, []],
    ["GET projects", 200, []],
    ["GET apps/github", 404, { error: expect.any(String) as string }],
    ["POST migrate/export", 501, { error: expect.any(String) as string }],
    ["POST team/provisions", 404, { error: expect.any(String) as string }],
    ["GET nothing-of-the-kind", 404, { error: expect.any(String) as string }],
  ])("%s answers %i in a form that the tool can print", async (line, status, body) => {
    expect(await call(line)).toMatchObject({ status, body });
  });
});

describe("a call that fails", () => {
  test.each([
    ["without a key", "GET agents", { key: null }, 401],
    ["with an empty bearer", "GET agents", { key: "" }, 401],
    ["with an unknown key", "GET agents", { key: `oc_${"1".repeat(64)}` }, 401],
    ["for an agent that is not there", "PATCH agents/none", { body: { name: "N" } }, 404],
    ["for a rule that is not there", "GET rules/none", {}, 404],
    ["for a configuration of nobody", "GET container-config?agent=nobody", {}, 404],
    ["with a name that is taken", "POST agents", { body: { name: "D", identifier: "default" } }, 409],
    ["with a name that can't be", "POST agents", { body: { name: "D", identifier: "No!" } }, 400],
  ])("%s says so in one flat text", async (_, line, options, status) => {
    const answer = await call<{ error: unknown }>(line, options);
    expect(answer).toMatchObject({ status, body: { error: expect.any(String) as string } });
    expect(answer.type).toMatch(/^application\/json/);
  });
});

test("the key in use is shown masked, and replaced by one that is shown once", async () => {
  const { body: masked } = await call<{ apiKey: string }>("GET user/api-key");
  expect(masked.apiKey).not.toBe(gateway.apiKey);
  const { body: fresh } = await call<{ apiKey: string }>("POST user/api-key/regenerate");
  expect(fresh.apiKey).toMatch(/^oc_[0-9a-f]{64}$/);
  expect(await call("GET user")).toMatchObject({ status: 401 });
  expect(await call("GET user", { key: fresh.apiKey })).toMatchObject({ status: 200 });
});
