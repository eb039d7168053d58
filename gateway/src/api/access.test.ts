// Who may call what: every endpoint of the table with every kind of credential, and what a mutation leaves behind.
import { endpoints, type Endpoint, type EndpointName, type Role } from "@onecli/sdk/contract";
import { describe, expect, test } from "vitest";
import { makeAgentToken } from "../agents/token.ts";
import { pathsOf } from "./app.ts";
import { type CallOptions, startGateway, type TestGateway } from "./test-gateway.ts";

interface Situation {
  readonly agentId: string;
  readonly tokenId: string;
  readonly secretId: string;
  readonly ruleId: string;
  readonly keyId: string;
}

interface ValidCall {
  readonly params?: (situation: Situation) => Record<string, string>;
  readonly query?: string;
  readonly body?: (situation: Situation) => unknown;
  /** when not the endpoint's own */
  readonly status?: number;
  /** the action that is recorded */
  readonly audited?: string;
}

const anAgent = { params: ({ agentId }: Situation) => ({ id: agentId }) };
const aSecret = { params: ({ secretId }: Situation) => ({ id: secretId }) };
const aRule = { params: ({ ruleId }: Situation) => ({ id: ruleId }) };
const generic = {
  name: "Two",
  type: "generic",
  value: "another-secret-value",
  hostPattern: "two.example.com",
  injectionConfig: { headerName: "x-key" },
};
const blocking = { name: "No", hostPattern: "evil.example.com", action: "block", enabled: true };

/** One call of every endpoint that succeeds for an administrator. */
const validCalls: Readonly<Record<EndpointName, ValidCall>> = {
  health: {},
  user: {},
  apiKey: {},
  regenerateApiKey: { audited: "api_key.regenerated" },
  listAgents: {},
  createAgent: { body: () => ({ name: "N", identifier: "new" }), audited: "agent.created" },
  defaultAgent: {},
  updateAgent: { ...anAgent, body: () => ({ name: "Renamed" }), audited: "agent.updated" },
  deleteAgent: { ...anAgent, audited: "agent.deleted" },
  regenerateToken: { ...anAgent, audited: "agent.token_regenerated" },
  setDefaultAgent: { ...anAgent, audited: "agent.default_set" },
  createToken: { ...anAgent, body: () => ({ labels: { task: "t" } }), audited: "agent.token_created" },
  deleteToken: {
    params: ({ agentId, tokenId }) => ({ id: agentId, tokenId }),
    audited: "agent.token_deleted",
  },
  agentSecrets: anAgent,
  setAgentSecrets: {
    ...anAgent,
    body: ({ secretId }) => ({ secretIds: [secretId] }),
    audited: "agent.secrets_set",
  },
  setSecretMode: { ...anAgent, body: () => ({ mode: "selective" }), audited: "agent.secret_mode_set" },
  listSecrets: {},
  createSecret: { body: () => generic, audited: "secret.created" },
  updateSecret: { ...aSecret, body: () => ({ name: "Renamed" }), audited: "secret.updated" },
  deleteSecret: { ...aSecret, audited: "secret.deleted" },
  rotateSecret: aSecret,
  listRules: {},
  createRule: { body: () => blocking, audited: "rule.created" },
  getRule: aRule,
  updateRule: { ...aRule, body: () => ({ enabled: false }), audited: "rule.updated" },
  deleteRule: { ...aRule, audited: "rule.deleted" },
  containerConfig: { query: "?agent=own" },
  gatewayUrl: {},
  pendingApprovals: { query: "?exclude=a,b" },
  decideApproval: { params: () => ({ id: "x" }), body: () => ({ decision: "deny" }), status: 404 },
  gatewayCa: {},
  gatewaySkill: { query: "?agent_framework=claude" },
  counts: {},
  apps: {},
  projects: {},
  migrateExport: { body: () => ({ cloudApiKey: "k" }) },
  listAudit: { query: "?agent=own&limit=5" },
  verifyAudit: {},
  listApiKeys: {},
  createApiKey: { body: () => ({ name: "CI", role: "read" }), audited: "api_key.created" },
  deleteApiKey: { params: ({ keyId }) => ({ id: keyId }), audited: "api_key.deleted" },
  rotateVault: { audited: "vault.rotated" },
};

/** An agent of the runner key, a default agent, a run token, a secret, a rule, a spare key. */
async function prepare(gateway: TestGateway): Promise<Situation> {
  const create = async (line: string, options: CallOptions) => {
    const answer = await gateway.call(`POST ${line}`, options);
    if (answer.status !== 201) throw new Error(`${line}: ${answer.text}`);
    return answer.body;
  };
  const agent = await create("/v1/agents", {
    key: gateway.keys.runner,
    body: { name: "Own", identifier: "own" },
  });
  const token = await create(`/v1/agents/${agent.id}/tokens`, { body: {} });
  const body = { ...generic, name: "One", hostPattern: "one.example.com", value: "sk-secret-value-0001" };
  const secret = await create("/v1/secrets", { body });
  const rule = await create("/v1/rules", { body: { ...blocking, agentId: agent.id } });
  const key = await create("/v1/api-keys", { body: { name: "spare", role: "read" } });
  await gateway.call("GET /v1/container-config");
  return { agentId: agent.id, tokenId: token.id, secretId: secret.id, ruleId: rule.id, keyId: key.id };
}

function lineOf(endpoint: Endpoint, valid: ValidCall, situation: Situation): string {
  const values = valid.params?.(situation) ?? {};
  const path = endpoint.path.replaceAll(/:(\w+)/g, (_, name: string) => values[name] ?? "");
  return `${path}${valid.query ?? ""}`;
}

const rows = Object.entries<Endpoint>(endpoints).map(
  ([name, endpoint]) => [name as EndpointName, endpoint, validCalls[name as EndpointName]] as const,
);
const roles: readonly Role[] = ["read", "runner", "admin"];

/** What a role sees although the table lets it in: the default agent is not the runner key's own. */
function expectedStatus(name: EndpointName, role: Role): number {
  if (name === "defaultAgent" && role === "runner") return 404;
  return validCalls[name].status ?? endpoints[name].status;
}

describe.each(rows)("%s", (name, endpoint, valid) => {
  const isAllowed = (role: Role) => endpoint.roles === null || endpoint.roles.includes(role);

  async function send(gateway: TestGateway, prefix: string, role: Role) {
    const situation = await prepare(gateway);
    const body = valid.body?.(situation);
    const line = `${endpoint.method} ${prefix}${lineOf(endpoint, valid, situation)}`;
    return gateway.call(line, { key: gateway.keys[role], ...(body !== undefined && { body }) });
  }

  test.each(roles.filter(isAllowed))("answers the role %s in the contract's form", async (role) => {
    await using gateway = await startGateway();
    const answer = await send(gateway, "/v1", role);
    expect(answer.status, answer.text).toBe(expectedStatus(name, role));
    if (answer.status >= 300 || endpoint.response === undefined) return;
    expect(endpoint.response.safeParse(answer.body).error).toBeUndefined();
  });

  test.each(roles.filter((role) => !isAllowed(role)))(
    "refuses the role %s and names the needed one",
    async (role) => {
      await using gateway = await startGateway();
      const answer = await send(gateway, "/v1", role);
      expect([answer.status, answer.body.error]).toEqual([
        403,
        expect.stringContaining("needs a key with the role"),
      ]);
    },
  );

  test(endpoint.prefixes === "both" ? "is served under /api too" : "is not served under /api", async () => {
    await using gateway = await startGateway();
    const expected = endpoint.prefixes === "both" ? expectedStatus(name, "admin") : 404;
    expect((await send(gateway, "/api", "admin")).status).toBe(expected);
  });

  test("refuses callers without a key, with an agent's token, with garbage", async () => {
    await using gateway = await startGateway();
    const situation = await prepare(gateway);
    const changes = gateway.events.length;
    const own = await gateway.call("GET /v1/container-config?agent=own");
    const agentToken = /x:(aoc_[0-9a-f]{64})@/.exec(own.body.env.HTTPS_PROXY)?.[1];
    const body = valid.body?.(situation);
    const attempts = [null, "", agentToken, makeAgentToken(), `oc_${"0".repeat(64)}`, "x y"];
    const statuses = attempts.map(async (key) => {
      const line = `${endpoint.method} ${pathsOf(endpoint)[0]?.replace(endpoint.path, lineOf(endpoint, valid, situation))}`;
      const fields: Record<string, string> = key === "" ? { authorization: "Bearer" } : {};
      const options = { key: key === "" ? null : (key ?? null), fields, ...(body !== undefined && { body }) };
      return (await gateway.call(line, options)).status;
    });
    const expected = endpoint.roles === null ? 200 : 401;
    expect(new Set(await Promise.all(statuses))).toEqual(new Set([expected]));
    expect(gateway.events).toHaveLength(changes);
  });
});

const mutations = rows.filter(([, , valid]) => valid.audited !== undefined);

describe.each(mutations)("the change of %s", (name, endpoint, valid) => {
  test("is recorded once without values, and the data plane learns of it", async () => {
    await using gateway = await startGateway();
    const situation = await prepare(gateway);
    const { changes } = gateway.state;
    const recorded = gateway.events.length;
    const body = valid.body?.(situation);
    const line = `${endpoint.method} /v1${lineOf(endpoint, valid, situation)}`;
    const answer = await gateway.call(line, body === undefined ? {} : { body });
    expect(answer.status).toBe(endpoint.status);
    const events = gateway.events.slice(recorded);
    expect(events.at(-1)?.action).toBe(valid.audited);
    expect(events.at(-1)?.actor).toMatch(/^admin-/);
    expect(gateway.state.changes).toBe(changes + 1);
    expect(JSON.stringify(events)).not.toMatch(/another-secret-value|aoc_[0-9a-f]{64}|oc_[0-9a-f]{64}/);
    if (name !== "rotateVault") expect(events).toHaveLength(1);
  });

  test("is undone when it can't be recorded", async () => {
    await using gateway = await startGateway();
    const situation = await prepare(gateway);
    const before = contentsOf(gateway);
    const { changes } = gateway.state;
    gateway.state.auditFails = true;
    const body = valid.body?.(situation);
    const line = `${endpoint.method} /v1${lineOf(endpoint, valid, situation)}`;
    const answer = await gateway.call(line, body === undefined ? {} : { body });
    expect([answer.status, answer.body]).toEqual([500, { error: "internal error", code: "internal_error" }]);
    expect(contentsOf(gateway)).toEqual(before);
    expect(gateway.state.changes).toBe(changes);
    expect(gateway.logged.join("")).not.toContain("sk-secret-value");
  });
});

function contentsOf({ store }: TestGateway) {
  const agents = store.agents.list();
  return {
    agents: agents.map((agent) => ({ ...agent, hash: store.agents.token(agent.id)?.hash })),
    tokens: store.tokens.list(0),
    secrets: store.secrets.list().map((secret) => ({ secret, sealed: store.secrets.valueSealed(secret.id) })),
    rules: store.rules.list(),
    apiKeys: store.apiKeys.list(),
    keys: store.keys.list(),
  };
}
