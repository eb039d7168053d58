import { describe, expect, test } from "vitest";
import type { Agent, AgentToken, Credential } from "../model.ts";
import { parseAuthority } from "../target/authority.ts";
import { parseTarget } from "../target/path.ts";
import { ruleOf } from "./cases.ts";
import type { PolicyInput, Snapshot } from "./contract.ts";
import { decide } from "./decide.ts";
import { compileSnapshot } from "./snapshot.ts";

const agent = (id: string, change: Partial<Agent> = {}): Agent => ({
  id,
  name: id,
  identifier: id,
  isDefault: false,
  secretMode: "all",
  defaultAction: null,
  createdBy: null,
  secretIds: [],
  createdAt: 0,
  ...change,
});
const token = (hash: string, agentId: string): AgentToken => ({
  id: hash,
  agentId,
  hash,
  labels: {},
  expiresAt: 5,
});
const credential = (id: string, hostPattern = "api.example.com"): Credential => ({
  id,
  name: id,
  type: "generic",
  authMode: null,
  hostPattern,
  pathPattern: null,
  methods: null,
  injections: [],
  envName: null,
  rotation: null,
  rotatedAt: null,
  issuesTokens: null,
  issued: null,
  createdAt: 0,
});
const snapshotOf = (input: Partial<PolicyInput>): Snapshot =>
  compileSnapshot({
    revision: 7,
    agents: [],
    tokens: [],
    rules: [],
    credentials: [],
    defaultAction: "allow",
    ...input,
  });

function decideFor(snapshot: Snapshot, agentId: string, path = "/") {
  const authority = parseAuthority("api.example.com:443", null);
  const target = parseTarget(path);
  if (authority === null || target === null) throw new Error("must be readable");
  return decide(snapshot.route(agentId, authority), { method: "GET", target });
}

describe("who is asking", () => {
  const snapshot = snapshotOf({ agents: [agent("a")], tokens: [token("h1", "a"), token("h2", "gone")] });

  test("a token's hash leads to token and agent", () => {
    expect(snapshot.identify("h1")).toMatchObject({
      agent: { id: "a" },
      token: { hash: "h1", expiresAt: 5 },
    });
  });

  test.each([
    ["an unknown hash", "h3"],
    ["the token of an agent that is gone", "h2"],
    ["a name of Object's", "__proto__"],
  ])("%s leads nowhere", (_, hash) => {
    expect(snapshot.identify(hash)).toBeUndefined();
  });
});

describe("the default", () => {
  const agents = [
    agent("plain"),
    agent("strict", { defaultAction: "deny" }),
    agent("free", { defaultAction: "allow" }),
  ];

  test.each([
    ["is the configuration's: allow", "allow", "plain", "permit"],
    ["is the configuration's: deny", "deny", "plain", "deny"],
    ["is the agent's own: deny", "allow", "strict", "deny"],
    ["is the agent's own: allow", "deny", "free", "permit"],
    ["is deny for an agent that is gone", "allow", "gone", "deny"],
  ] as const)("%s", (_, defaultAction, id, effect) => {
    expect(decideFor(snapshotOf({ agents, defaultAction }), id).effect).toBe(effect);
  });
});

describe("credentials by agent", () => {
  const snapshot = snapshotOf({
    agents: [
      agent("all"),
      agent("some", { secretMode: "selective", secretIds: ["c1"] }),
      agent("none", { secretMode: "selective" }),
    ],
    credentials: [credential("c1"), credential("c2"), credential("c3", "other.example.com")],
  });

  test.each([
    ["mode all may use every one", "all", ["c1", "c2"], ["c1", "c2", "c3"]],
    ["mode selective may use the assigned ones", "some", ["c1"], ["c1"]],
    ["mode selective without any may use none", "none", [], []],
    ["an agent that is gone may use none", "gone", [], []],
  ])("%s", (_, id, onHost, anywhere) => {
    const authority = parseAuthority("api.example.com", 443);
    if (authority === null) throw new Error("must be readable");
    expect(snapshot.route(id, authority).credentials).toHaveLength(onHost.length);
    expect(snapshot.credentialsOf(id).map((c) => c.id)).toEqual(anywhere);
    const decision = decideFor(snapshot, id);
    if (decision.effect === "permit") expect(decision.credentials.map((c) => c.id)).toEqual(onHost);
  });
});

describe("tokens that were issued to an agent", () => {
  const issued = (id: string, bySecretId: string, toAgentId: string): Credential => ({
    ...credential(id),
    issued: { bySecretId, toAgentId, placeholder: id, expiresAt: null },
  });
  const snapshot = snapshotOf({
    agents: [
      agent("all"),
      agent("some", { secretMode: "selective", secretIds: ["c1", "i2"] }),
      agent("other"),
    ],
    credentials: [
      credential("c1"),
      credential("c2"),
      issued("i1", "c1", "some"),
      issued("i2", "c2", "some"),
      issued("i3", "c2", "all"),
    ],
  });

  test.each([
    ["it may use them", "all", ["c1", "c2", "i3"]],
    ["in mode selective it may use those of its assigned secrets", "some", ["c1", "i1"]],
    ["another agent may not, in mode all neither", "other", ["c1", "c2"]],
  ])("%s", (_, id, expected) => {
    expect(snapshot.credentialsOf(id).map((c) => c.id)).toEqual(expected);
  });
});

describe("named ports", () => {
  test("are those that credentials and rules open, never those that a block or a disabled rule names", () => {
    const { namedPorts } = snapshotOf({
      rules: [
        ruleOf("1", "allow", { hostPattern: "a.example:8001" }),
        ruleOf("2", "rate_limit", { hostPattern: "*:8002" }),
        ruleOf("3", "block", { hostPattern: "a.example:8003" }),
        ruleOf("4", "allow", { hostPattern: "a.example:8004", enabled: false }),
        ruleOf("5", "allow", { hostPattern: "a.example" }),
      ],
      credentials: [credential("c", "10.0.0.1:8005"), credential("d")],
    });
    expect(namedPorts).toEqual(new Set([8001, 8002, 8005]));
  });
});

describe("thousands of rules on one host", () => {
  const rules = Array.from({ length: 10_000 }, (_, at) =>
    ruleOf(`${at}`, "block", { pathPattern: `/v1/customers/${at}` }),
  );
  const snapshot = snapshotOf({ agents: [agent("a")], rules });

  test.each([
    ["/v1/customers/4711", "deny"],
    ["/v1/customers%2F4711", "deny"],
    ["/v1/customers/10000", "permit"],
    ["/v2/customers/4711", "permit"],
  ])("%s gets a %s", (path, effect) => {
    expect(decideFor(snapshot, "a", path).effect).toBe(effect);
  });
});
