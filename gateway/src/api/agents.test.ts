import { describe, expect, test } from "vitest";
import { addKey, startGateway, type TestGateway } from "./test-gateway.ts";

async function create(gateway: TestGateway, body: Record<string, unknown>, key = gateway.keys.admin) {
  return gateway.call("POST /v1/agents", { key, body: { name: "Agent", ...body } });
}

const secret = {
  name: "S",
  type: "generic",
  value: "sk-secret-value-0001",
  hostPattern: "one.example.com",
  injectionConfig: { headerName: "x-key" },
};

async function storeSecret(gateway: TestGateway): Promise<string> {
  return (await gateway.call("POST /v1/secrets", { body: secret })).body.id;
}

describe("a new agent", () => {
  test("can use all secrets and is listed with a masked token", async () => {
    await using gateway = await startGateway();
    await create(gateway, { identifier: "a-1" });
    const [agent] = (await gateway.call("GET /v1/agents")).body;
    expect(agent).toMatchObject({
      identifier: "a-1",
      secretMode: "all",
      isDefault: false,
      defaultAction: null,
    });
    expect(agent.accessToken).toMatch(/^aoc_[0-9a-f]{4}••••••••[0-9a-f]{4}$/);
  });

  test("is refused when the identifier is taken", async () => {
    await using gateway = await startGateway();
    await create(gateway, { identifier: "a" });
    const answer = await create(gateway, { identifier: "a" });
    expect([answer.status, answer.body.error]).toEqual([409, "An agent with this identifier already exists"]);
  });

  test.each([
    ["identifier", { identifier: "-a" }],
    ["identifier", { identifier: "A" }],
    ["identifier", { identifier: "a".repeat(51) }],
    ["identifier", {}],
    ["name", { identifier: "a", name: " " }],
    ["name", { identifier: "a", name: "x".repeat(256) }],
    ["name", { identifier: "a", name: 7 }],
    ["defaultAction", { identifier: "a", defaultAction: "maybe" }],
    ["parentIdentifier", { identifier: "a", parentIdentifier: "nobody" }],
  ])("is refused, naming %s: %j", async (field, body) => {
    await using gateway = await startGateway();
    const answer = await create(gateway, body);
    expect([answer.status, answer.body.field]).toEqual([400, field]);
    expect(answer.body.error.startsWith(`${field}: `)).toBe(true);
    expect(gateway.store.agents.list()).toEqual([]);
  });

  test("takes mode, secrets and default action from its parent", async () => {
    await using gateway = await startGateway();
    const secretId = await storeSecret(gateway);
    const parent = await create(gateway, { identifier: "p", secretMode: "selective", defaultAction: "deny" });
    await gateway.call(`PUT /v1/agents/${parent.body.id}/secrets`, {
      body: { secretIds: [secretId, secretId] },
    });
    await create(gateway, { identifier: "c", parentIdentifier: "p" });
    expect(gateway.store.agents.byIdentifier("c")).toMatchObject({
      secretMode: "selective",
      secretIds: [secretId],
      defaultAction: "deny",
    });
  });
});

describe("an agent", () => {
  test("that is the default one is not deleted", async () => {
    await using gateway = await startGateway();
    const { body } = await create(gateway, { identifier: "a" });
    await gateway.call(`POST /v1/agents/${body.id}/set-default`);
    const answer = await gateway.call(`DELETE /v1/agents/${body.id}`);
    expect([answer.status, answer.body.error]).toEqual([400, "Cannot delete the default agent"]);
  });

  test("that is another one is deleted", async () => {
    await using gateway = await startGateway();
    const { body } = await create(gateway, { identifier: "a" });
    expect((await gateway.call(`DELETE /v1/agents/${body.id}`)).status).toBe(204);
    expect((await gateway.call(`DELETE /v1/agents/${body.id}`)).status).toBe(404);
  });

  test("is not given secrets that do not exist", async () => {
    await using gateway = await startGateway();
    const { body } = await create(gateway, { identifier: "a" });
    const secretIds = [await storeSecret(gateway), "unknown"];
    const answer = await gateway.call(`PUT /v1/agents/${body.id}/secrets`, { body: { secretIds } });
    expect([answer.status, answer.body.error]).toEqual([400, "One or more secrets not found"]);
    expect((await gateway.call(`GET /v1/agents/${body.id}/secrets`)).body).toEqual([]);
  });

  test("gets a new token that is shown in full and replaces the old one", async () => {
    await using gateway = await startGateway();
    const { body } = await create(gateway, { identifier: "a" });
    const { accessToken } = (await gateway.call(`POST /api/agents/${body.id}/regenerate-token`)).body;
    expect(accessToken).toMatch(/^aoc_[0-9a-f]{64}$/);
    const config = (await gateway.call("GET /v1/container-config?agent=a")).body;
    expect(config.env.HTTPS_PROXY).toContain(`x:${accessToken}@`);
  });

  test("has no update without a member to change", async () => {
    await using gateway = await startGateway();
    const { body } = await create(gateway, { identifier: "a" });
    expect((await gateway.call(`PATCH /v1/agents/${body.id}`, { body: {} })).status).toBe(400);
  });
});

describe("a run's token", () => {
  test("ends with its time to live and is stored as a hash", async () => {
    await using gateway = await startGateway();
    const { body } = await create(gateway, { identifier: "a" });
    const token = (await gateway.call(`POST /v1/agents/${body.id}/tokens`, { body: { ttlSeconds: 60 } }))
      .body;
    expect(Date.parse(token.expiresAt) - gateway.state.now).toBe(60_000);
    expect(gateway.store.tokens.list(gateway.state.now).map(({ id }) => id)).toContain(token.id);
    expect(gateway.store.tokens.list(gateway.state.now + 60_001).map(({ id }) => id)).not.toContain(token.id);
  });

  test("of one agent is not revoked through another one", async () => {
    await using gateway = await startGateway();
    const one = (await create(gateway, { identifier: "one" })).body.id;
    const two = (await create(gateway, { identifier: "two" })).body.id;
    const token = (await gateway.call(`POST /v1/agents/${one}/tokens`)).body;
    expect((await gateway.call(`DELETE /v1/agents/${two}/tokens/${token.id}`)).status).toBe(404);
    expect((await gateway.call(`DELETE /v1/agents/${one}/tokens/${token.id}`)).status).toBe(204);
  });

  test.each([
    { ttlSeconds: 0 },
    { ttlSeconds: 30 * 86_400 + 1 },
    { labels: { other: "x" } },
    { labels: { chat: "" } },
  ])("is refused with %j", async (body) => {
    await using gateway = await startGateway();
    const { id } = (await create(gateway, { identifier: "a" })).body;
    expect((await gateway.call(`POST /v1/agents/${id}/tokens`, { body })).status).toBe(400);
  });
});

describe("a runner key", () => {
  test("makes agents that can use the assigned secrets only", async () => {
    await using gateway = await startGateway();
    await create(gateway, { identifier: "r" }, gateway.keys.runner);
    expect(gateway.store.agents.byIdentifier("r")).toMatchObject({ secretMode: "selective", secretIds: [] });
  });

  test.each([
    ["a new agent with all secrets", { identifier: "r", secretMode: "all" }],
    ["a new agent with another default", { identifier: "r", defaultAction: "allow" }],
  ])("does not make %s", async (_, body) => {
    await using gateway = await startGateway();
    expect((await create(gateway, body, gateway.keys.runner)).status).toBe(403);
    expect(gateway.store.agents.list()).toEqual([]);
  });

  test.each([{ secretMode: "all" }, { defaultAction: "allow" }, { defaultAction: null }])(
    "does not widen its agent with %j",
    async (body) => {
      await using gateway = await startGateway();
      const { id } = (await create(gateway, { identifier: "r" }, gateway.keys.runner)).body;
      const answer = await gateway.call(`PATCH /v1/agents/${id}`, { key: gateway.keys.runner, body });
      expect(answer.status).toBe(403);
    },
  );

  test("narrows its agent", async () => {
    await using gateway = await startGateway();
    const { id } = (await create(gateway, { identifier: "r" }, gateway.keys.runner)).body;
    const body = { secretMode: "selective", defaultAction: "deny", name: "New" };
    expect((await gateway.call(`PATCH /v1/agents/${id}`, { key: gateway.keys.runner, body })).status).toBe(
      200,
    );
    expect(gateway.store.agents.get(id)).toMatchObject({ name: "New", defaultAction: "deny" });
  });

  test("does not copy the rights of an agent that rules restrict", async () => {
    await using gateway = await startGateway();
    const { id } = (await create(gateway, { identifier: "r" }, gateway.keys.runner)).body;
    const copy = (identifier: string) =>
      create(gateway, { identifier, parentIdentifier: "r" }, gateway.keys.runner);
    expect((await copy("c1")).status).toBe(201);
    const rule = { name: "No", hostPattern: "a.example.com", action: "block", agentId: id };
    await gateway.call("POST /v1/rules", { body: rule });
    expect((await copy("c2")).status).toBe(403);
  });

  test.each([
    ["PATCH", "", { name: "x" }],
    ["DELETE", "", undefined],
    ["POST", "/regenerate-token", undefined],
    ["POST", "/tokens", {}],
    ["GET", "/secrets", undefined],
  ])("finds no agent of others: %s /agents/:id%s", async (method, path, body) => {
    await using gateway = await startGateway();
    const others = addKey(gateway.store, "runner");
    const ids = [
      (await create(gateway, { identifier: "admins" })).body.id,
      (await create(gateway, { identifier: "others" }, others)).body.id,
      "does-not-exist",
    ];
    const answers = ids.map(async (id) => {
      const options = { key: gateway.keys.runner, ...(body !== undefined && { body }) };
      const { status, text } = await gateway.call(`${method} /v1/agents/${id}${path}`, options);
      return `${status} ${text}`;
    });
    expect(new Set(await Promise.all(answers)).size).toBe(1);
    expect(await answers[0]).toMatch(/^404 /);
  });

  test("sees its own agents, their secrets and rules, and nothing else", async () => {
    await using gateway = await startGateway();
    const key = gateway.keys.runner;
    const { id: own } = (await create(gateway, { identifier: "own" }, key)).body;
    const { id: other } = (await create(gateway, { identifier: "other" })).body;
    const secretId = await storeSecret(gateway);
    await gateway.call("POST /v1/secrets", {
      body: { ...secret, name: "T", hostPattern: "two.example.com" },
    });
    for (const agentId of [null, own, other]) {
      await gateway.call("POST /v1/rules", {
        body: { name: "R", hostPattern: "*", action: "block", agentId },
      });
    }
    const count = async (path: string) => (await gateway.call(`GET /v1/${path}`, { key })).body.length;
    expect([await count("agents"), await count("secrets"), await count("rules")]).toEqual([1, 0, 2]);
    await gateway.call(`PUT /v1/agents/${own}/secrets`, { body: { secretIds: [secretId] } });
    expect((await gateway.call("GET /v1/counts", { key })).body).toEqual({
      agents: 1,
      secrets: 1,
      rules: 2,
      apps: 0,
    });
  });

  test("reads the audit of its own agents only", async () => {
    await using gateway = await startGateway();
    const key = gateway.keys.runner;
    await create(gateway, { identifier: "own" }, key);
    await create(gateway, { identifier: "other" });
    const status = async (query: string) => (await gateway.call(`GET /v1/audit${query}`, { key })).status;
    expect([await status("?agent=own"), await status("?agent=other"), await status("")]).toEqual([
      200, 404, 403,
    ]);
  });

  test("does not read another agent's audit under an identifier that is that agent's id", async () => {
    await using gateway = await startGateway();
    const key = gateway.keys.runner;
    const { id: other } = (await create(gateway, { identifier: "other" })).body;
    const { id: own } = (await create(gateway, { identifier: other }, key)).body;
    for (const agentId of [own, other]) {
      const call = {
        method: "GET",
        authority: "a.example.com:443",
        path: "/",
        status: 403,
        code: "x",
        rule: null,
      };
      gateway.parts.audit.refuse({ ...call, agentId, agent: "name" });
    }
    gateway.parts.audit.flush();
    const { records } = (await gateway.call(`GET /v1/audit?agent=${other}`, { key })).body;
    expect(records.map(({ agentId }: { agentId: string }) => agentId)).toEqual([own]);
  });

  test("does not replace itself", async () => {
    await using gateway = await startGateway();
    expect(
      (await gateway.call("POST /v1/user/api-key/regenerate", { key: gateway.keys.runner })).status,
    ).toBe(403);
  });
});
