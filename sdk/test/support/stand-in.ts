// A stand-in, not the gateway: serves the contract's table over real HTTP from memory, so that the clients can be
// tested without it. It checks keys and bodies as the contract says and knows nothing of policy, vault or proxy.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Endpoint, type EndpointName, endpoints } from "../../src/contract/index.ts";

export interface Recorded {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: unknown;
}
export interface StandIn {
  readonly url: string;
  readonly requests: Recorded[];
  /** answers every call with this instead, until set to undefined */
  fail: { status: number; body?: string } | undefined;
  /** replaces single answers */
  readonly answers: Partial<Record<EndpointName, unknown>>;
  readonly close: () => Promise<void>;
}

export const ADMIN_KEY = `oc_${"a".repeat(64)}`;
export const READ_KEY = `oc_${"b".repeat(64)}`;
const CREATED_AT = "2026-01-02T03:04:05.000Z";

export async function startStandIn(): Promise<StandIn> {
  const state = { requests: [] as Recorded[], answers: {} as StandIn["answers"] };
  const memory = newMemory();
  const server = createServer((request, response) => {
    void serve(request, response).catch(() => response.destroy());
  });
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const body = await readJson(request);
    state.requests.push({
      method: request.method ?? "",
      path: request.url ?? "",
      headers: request.headers,
      body,
    });
    const { status, value } = standIn.fail
      ? { status: standIn.fail.status, value: standIn.fail.body }
      : answer(memory, state.answers, request, body);
    response.writeHead(status, {
      "content-type": typeof value === "string" ? "text/plain" : "application/json",
    });
    response.end(typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value));
  };
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const standIn: StandIn = {
    ...state,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    fail: undefined,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return standIn;
}

interface Answer {
  status: number;
  value?: unknown;
}
type Item = Record<string, unknown> & { id: string };

function newMemory() {
  return {
    next: 1,
    agents: [] as Item[],
    secrets: [] as Item[],
    rules: [] as Item[],
    apiKeys: [] as Item[],
    audit: [1, 2, 3].map((seq) => ({
      seq,
      type: "exchange",
      at: CREATED_AT,
      agent: "main",
      host: `api${seq}.example.com`,
      verdict: seq === 2 ? "deny" : "permit",
    })) as Record<string, unknown>[],
  };
}
type Memory = ReturnType<typeof newMemory>;

function answer(
  memory: Memory,
  answers: StandIn["answers"],
  request: IncomingMessage,
  body: unknown,
): Answer {
  const url = new URL(request.url ?? "/", "http://stand-in");
  const found = route(request.method ?? "", url.pathname.replace(/^\/(v1|api)/, ""));
  if (found === undefined) return { status: 404, value: { error: "no such route" } };
  const { name, endpoint, params } = found;
  const refusal = authorise(endpoint, request.headers.authorization);
  if (refusal !== undefined) return refusal;
  if (name in answers) return { status: endpoint.status, value: answers[name] };
  const parsed = endpoint.body?.safeParse(body);
  if (parsed?.success === false) {
    const issue = parsed.error.issues[0];
    return { status: 400, value: { error: issue?.message ?? "bad request", field: issue?.path.join(".") } };
  }
  const input = { params, query: url.searchParams, body: (parsed?.data ?? {}) as Record<string, unknown> };
  const handled = handlers[name]?.(memory, input) ?? { status: 501, value: { error: "not in the stand-in" } };
  return { status: handled.status === 0 ? endpoint.status : handled.status, value: handled.value };
}

function route(method: string, pathname: string) {
  const matches = Object.entries(endpoints as Record<string, Endpoint>).flatMap(([name, endpoint]) => {
    if (endpoint.method !== method) return [];
    const pattern = new RegExp(`^${endpoint.path.replaceAll(/:([A-Za-z]+)/g, "(?<$1>[^/]+)")}$`);
    const match = pattern.exec(pathname);
    if (match === null) return [];
    const params = { ...match.groups };
    return [{ name: name as EndpointName, endpoint, params }];
  });
  return matches.find(({ params }) => Object.keys(params).length === 0) ?? matches[0];
}

function authorise(endpoint: Endpoint, authorization: string | undefined): Answer | undefined {
  if (endpoint.roles === null) return undefined;
  const role =
    authorization === `Bearer ${ADMIN_KEY}`
      ? "admin"
      : authorization === `Bearer ${READ_KEY}`
        ? "read"
        : undefined;
  if (role === undefined) return { status: 401, value: { error: "Unauthorized" } };
  if (endpoint.roles.includes(role)) return undefined;
  return { status: 403, value: { error: "this key may only look", code: "forbidden" } };
}

interface Input {
  params: Record<string, string>;
  query: URLSearchParams;
  body: Record<string, unknown>;
}
type Handler = (memory: Memory, input: Input) => Answer;
const ok = (value?: unknown): Answer => ({ status: 0, value });
const missing = (what: string): Answer => ({ status: 404, value: { error: `${what} not found` } });
const success = ok({ success: true });

function withItem(
  list: keyof Memory & ("agents" | "secrets" | "rules" | "apiKeys"),
  work: (item: Item, memory: Memory, input: Input) => Answer,
): Handler {
  return (memory, input) => {
    const item = memory[list].find(({ id }) => id === input.params["id"]);
    return item === undefined ? missing(list.slice(0, -1)) : work(item, memory, input);
  };
}

function remove(list: "agents" | "secrets" | "rules" | "apiKeys"): Handler {
  return withItem(list, (item, memory) => {
    memory[list] = memory[list].filter((other) => other !== item);
    return ok();
  });
}

const handlers: Partial<Record<EndpointName, Handler>> = {
  health: () => ok({ status: "ok", version: "0.0.0-stand-in", timestamp: CREATED_AT }),
  user: () => ok({ id: "u1", email: "admin@localhost", name: "Admin", createdAt: CREATED_AT, role: "admin" }),
  apiKey: () => ok({ apiKey: "oc_aaaa••••aaaa" }),
  regenerateApiKey: () => ok({ apiKey: `oc_${"c".repeat(64)}` }),
  listAgents: (memory) => ok(memory.agents),
  defaultAgent: (memory) => {
    const found = memory.agents.find((agent) => agent["isDefault"] === true);
    return found === undefined ? missing("default agent") : ok(found);
  },
  createAgent: (memory, { body }) => {
    if (memory.agents.some((agent) => agent["identifier"] === body["identifier"])) {
      return { status: 409, value: { error: "An agent with this identifier already exists" } };
    }
    const agent = {
      id: `a${memory.next++}`,
      secretMode: "all",
      defaultAction: null,
      ...body,
      accessToken: "aoc_1234••••cdef",
      isDefault: false,
      createdAt: CREATED_AT,
      _count: { agentSecrets: 0, agentAppConnections: 0 },
      secretIds: [],
    };
    memory.agents.push(agent);
    return ok(agent);
  },
  updateAgent: withItem("agents", (agent, _, { body }) => (Object.assign(agent, body), success)),
  deleteAgent: remove("agents"),
  regenerateToken: withItem("agents", () => ok({ accessToken: `aoc_${"d".repeat(64)}` })),
  setDefaultAgent: withItem("agents", (agent) => ((agent["isDefault"] = true), success)),
  createToken: withItem("agents", () => ok({ id: "t1", accessToken: "aoc_run", expiresAt: CREATED_AT })),
  deleteToken: withItem("agents", () => ok()),
  agentSecrets: withItem("agents", (agent) => ok(agent["secretIds"])),
  setAgentSecrets: withItem("agents", (agent, _, { body }) => (Object.assign(agent, body), success)),
  setSecretMode: withItem("agents", (agent, _, { body }) => ((agent["secretMode"] = body["mode"]), success)),
  listSecrets: (memory) => ok(memory.secrets),
  createSecret: (memory, { body }) => {
    const { value: _value, ...rest } = body;
    const secret = {
      valueSource: "inline",
      opRef: null,
      pathPattern: null,
      methods: null,
      injectionConfig: null,
      envName: null,
      metadata: null,
      rotation: null,
      rotatedAt: null,
      issuesTokens: null,
      issued: null,
      scope: "project",
      ...rest,
      id: `s${memory.next++}`,
      createdAt: CREATED_AT,
      typeLabel: String(body["type"]),
      preview: "••••",
    };
    memory.secrets.push(secret);
    return ok(secret);
  },
  updateSecret: withItem("secrets", () => success),
  deleteSecret: remove("secrets"),
  rotateSecret: withItem("secrets", () => ok({ success: true, rotatedAt: CREATED_AT })),
  listRules: (memory) => ok(memory.rules),
  createRule: (memory, { body }) => {
    const rule = {
      pathPattern: null,
      method: null,
      agentId: null,
      rateLimit: null,
      rateLimitWindow: null,
      ...body,
      id: `r${memory.next++}`,
      scope: "project",
      metadata: null,
      conditions: null,
      createdAt: CREATED_AT,
    };
    memory.rules.push(rule);
    return ok(rule);
  },
  getRule: withItem("rules", (rule) => ok(rule)),
  updateRule: withItem("rules", (rule, _, { body }) => ok({ ...Object.assign(rule, body), success: true })),
  deleteRule: remove("rules"),
  containerConfig: (memory, { query }) => {
    const agentIdentifier = query.get("agent");
    if (agentIdentifier !== null && !memory.agents.some((agent) => agent["identifier"] === agentIdentifier)) {
      const error = `No agent with identifier ${agentIdentifier}`;
      return { status: 404, value: { error, code: "AGENT_NOT_FOUND", agentIdentifier } };
    }
    return ok(exampleConfig);
  },
  gatewayCa: () => ok(exampleConfig.caCertificate),
  gatewaySkill: () => ok("# How to behave\n"),
  listAudit: (memory, { query }) => {
    const after = query.get("after");
    const limit = Number(query.get("limit") ?? 100);
    const wanted = memory.audit.filter(
      (row) => query.get("host") === null || row["host"] === query.get("host"),
    );
    const records =
      after === null
        ? wanted.toReversed().slice(0, limit)
        : wanted.filter((row) => Number(row["seq"]) > Number(after)).slice(0, limit);
    return ok({ records, nextBefore: null, nextAfter: null });
  },
  verifyAudit: () => ok({ valid: true, records: 3, segments: 1, fromSeq: 1, toSeq: 3, problem: null }),
  listApiKeys: (memory) => ok(memory.apiKeys),
  createApiKey: (memory, { body }) => {
    const key = { ...body, id: `k${memory.next++}`, preview: "oc_eeee••••", createdAt: CREATED_AT };
    memory.apiKeys.push(key);
    return ok({ ...key, apiKey: `oc_${"e".repeat(64)}` });
  },
  deleteApiKey: remove("apiKeys"),
  rotateVault: () => ok({ keyId: "k2", rewrapped: 1, reencrypted: 4 }),
};

export const exampleConfig = {
  env: {
    HTTPS_PROXY: `http://x:aoc_${"1".repeat(64)}@host.docker.internal:10254`,
    HTTP_PROXY: `http://x:aoc_${"1".repeat(64)}@host.docker.internal:10254`,
    NODE_EXTRA_CA_CERTS: "/tmp/onecli-gateway-ca.pem",
    SSL_CERT_FILE: "/tmp/onecli-gateway-ca.pem",
    NO_PROXY: "localhost,127.0.0.1,::1",
    ANTHROPIC_API_KEY: "placeholder",
    SPACED: "a=b c",
  },
  caCertificate:
    "-----BEGIN CERTIFICATE-----\nb3Vycw==\n-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\ncHVibGlj\n-----END CERTIFICATE-----\n",
  caCertificateContainerPath: "/tmp/onecli-gateway-ca.pem",
  credentialStubs: [
    { containerPath: "/home/node/.codex/auth.json", content: '{"fake":1}' },
    { containerPath: "/root/.other/auth.json", content: '{"fake":2}' },
  ],
  warnings: ["one warning"],
  placeholders: [
    { secret: "Stripe", env: "STRIPE_API_KEY", hostPattern: "api.stripe.com", value: "sk_test_fake" },
  ],
};

async function readJson(request: IncomingMessage): Promise<unknown> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  try {
    return text === "" ? undefined : JSON.parse(text);
  } catch {
    return text;
  }
}
