import { assert, property, string } from "fast-check";
import { describe, expect, test } from "vitest";
import type { Credential, Rule } from "../model.ts";
import { connectionOf } from "./open.ts";
import { aCredential, anAgent, aRule, aToken, temporaryStore } from "./testing.ts";

describe("agents", () => {
  test("come back as they were stored, with their secrets", async () => {
    const store = await temporaryStore();
    store.secrets.insert(aCredential({ id: "s1" }), Buffer.from("1"));
    store.secrets.insert(aCredential({ id: "s2" }), Buffer.from("2"));
    const agent = anAgent({
      secretMode: "selective",
      defaultAction: "deny",
      createdBy: "k",
      secretIds: ["s1", "s2"],
    });
    store.agents.insert(agent, aToken("h"));
    expect(store.agents.get("agent-1")).toEqual(agent);
    expect(store.agents.byIdentifier("agent-one")).toEqual(agent);
    expect(store.agents.list()).toEqual([agent]);
    expect(store.agents.token("agent-1")).toEqual(aToken("h"));
    expect(store.agents.get("other")).toBeUndefined();
  });

  test("change only where told", async () => {
    const store = await temporaryStore();
    store.agents.insert(anAgent({ defaultAction: "deny" }), aToken("h"));
    store.agents.update("agent-1", { name: "New" });
    expect(store.agents.get("agent-1")).toEqual(anAgent({ name: "New", defaultAction: "deny" }));
    store.agents.update("agent-1", { defaultAction: null, secretMode: "selective" });
    expect(store.agents.get("agent-1")).toEqual(anAgent({ name: "New", secretMode: "selective" }));
    store.agents.update("agent-1", {});
  });

  test("have one default at most", async () => {
    const store = await temporaryStore();
    store.agents.insert(anAgent({ id: "a", identifier: "a", isDefault: true }), aToken("1"));
    store.agents.insert(anAgent({ id: "b", identifier: "b", isDefault: true }), aToken("2"));
    expect(store.agents.list().map((agent) => agent.isDefault)).toEqual([false, true]);
    store.agents.setDefault("a");
    expect(store.agents.list().map((agent) => agent.isDefault)).toEqual([true, false]);
    expect(() => store.agents.setDefault("nobody")).toThrow("no row nobody");
    expect(store.agents.list().map((agent) => agent.isDefault)).toEqual([true, false]);
  });

  test("lose their secrets all or none", async () => {
    const store = await temporaryStore();
    store.secrets.insert(aCredential(), Buffer.from("1"));
    store.agents.insert(anAgent({ secretIds: ["secret-1"] }), aToken("h"));
    expect(() => store.agents.setSecrets("agent-1", ["unknown"])).toThrow("FOREIGN KEY");
    expect(store.agents.get("agent-1")?.secretIds).toEqual(["secret-1"]);
    store.agents.setSecrets("agent-1", []);
    expect(store.agents.get("agent-1")?.secretIds).toEqual([]);
  });

  test("refuse a second one of the same identifier", async () => {
    const store = await temporaryStore();
    store.agents.insert(anAgent(), aToken("1"));
    expect(() => store.agents.insert(anAgent({ id: "2" }), aToken("2"))).toThrow("agents.identifier");
  });

  test("take their tokens and rules along when deleted", async () => {
    const store = await temporaryStore();
    store.agents.insert(anAgent(), aToken("h"));
    store.tokens.insert({ id: "t", agentId: "agent-1", hash: "t", labels: {}, expiresAt: null }, 1);
    store.rules.insert(aRule({ agentId: "agent-1" }));
    expect(store.agents.delete("agent-1")).toBe(true);
    expect([store.agents.delete("agent-1"), store.tokens.list(0), store.rules.list()]).toEqual([
      false,
      [],
      [],
    ]);
  });
});

describe("tokens", () => {
  test("are listed with the classic ones, expired ones left out", async () => {
    const store = await temporaryStore();
    store.agents.insert(anAgent(), aToken("classic"));
    const run = { id: "t", agentId: "agent-1", hash: "run", labels: { group: "g" }, expiresAt: 500 };
    store.tokens.insert(run, 1);
    const classic = { id: "agent-1", agentId: "agent-1", hash: "classic", labels: {}, expiresAt: null };
    expect(store.tokens.list(499)).toEqual([classic, run]);
    expect(store.tokens.list(500)).toEqual([classic]);
    expect([store.tokens.deleteExpired(499), store.tokens.deleteExpired(500)]).toEqual([0, 1]);
  });

  test("are deleted by their own agent only", async () => {
    const store = await temporaryStore();
    store.agents.insert(anAgent(), aToken("classic"));
    store.tokens.insert({ id: "t", agentId: "agent-1", hash: "run", labels: {}, expiresAt: 500 }, 1);
    expect(store.tokens.delete("agent-2", "t")).toBe(false);
    expect(store.tokens.delete("agent-1", "t")).toBe(true);
  });
});

describe("secrets", () => {
  const full: Credential = {
    ...aCredential(),
    type: "anthropic",
    authMode: "oauth",
    pathPattern: "/v1/*",
    methods: ["GET", "POST"],
    injections: [{ basic: { username: "x" } }, { placeholder: ["header", "body"] }],
    envName: "EXAMPLE_KEY",
    rotation: { rotateEvery: "30d", command: ["/bin/new"] },
    rotatedAt: 2000,
  };

  test.each([
    ["everything", full],
    ["the least", aCredential({ injections: [] })],
  ])("come back as they were stored with %s", async (_, credential) => {
    const store = await temporaryStore();
    store.secrets.insert(credential, Buffer.from("sealed"));
    expect(store.secrets.get("secret-1")).toEqual(credential);
    expect(store.secrets.list()).toEqual([credential]);
    expect(store.secrets.valueSealed("secret-1")).toEqual(Buffer.from("sealed"));
  });

  test("change without their value, and their value without the rest", async () => {
    const store = await temporaryStore();
    store.secrets.insert(aCredential(), Buffer.from("old"));
    store.secrets.update("secret-1", full);
    expect([store.secrets.get("secret-1"), store.secrets.valueSealed("secret-1")]).toEqual([
      full,
      Buffer.from("old"),
    ]);
    store.secrets.setValue("secret-1", Buffer.from("new"));
    expect([store.secrets.get("secret-1"), store.secrets.valueSealed("secret-1")]).toEqual([
      full,
      Buffer.from("new"),
    ]);
    expect(() => store.secrets.setValue("other", Buffer.from("x"))).toThrow("no row other");
    expect([store.secrets.delete("secret-1"), store.secrets.delete("secret-1")]).toEqual([true, false]);
  });
});

describe("issued tokens", () => {
  const issued = (id: string, change: Partial<NonNullable<Credential["issued"]>> = {}): Credential => ({
    ...aCredential({ id, issuesTokens: { hostPattern: "api.example.com", pathPattern: null } }),
    issued: {
      bySecretId: "secret-1",
      toAgentId: "agent-1",
      placeholder: `fake-${id}`,
      expiresAt: 5000,
      ...change,
    },
  });
  const storeWith = async (...tokens: Credential[]) => {
    const store = await temporaryStore();
    store.agents.insert(anAgent(), aToken("h"));
    store.secrets.insert(aCredential(), Buffer.from("secret"));
    for (const token of tokens) store.secrets.insert(token, Buffer.from(token.id));
    return store;
  };
  const idsOf = (credentials: readonly Credential[]) => credentials.map(({ id }) => id);

  test("come back as they were stored, by their secret and agent", async () => {
    const store = await storeWith(issued("a"), issued("b", { expiresAt: null }));
    expect(store.secrets.issued("secret-1", "agent-1")).toEqual([
      issued("a"),
      issued("b", { expiresAt: null }),
    ]);
    expect(store.secrets.issued("secret-1", "agent-2")).toEqual([]);
    expect(store.secrets.issuedCount()).toBe(2);
  });

  test.each([
    ["their secret", (store: Awaited<ReturnType<typeof storeWith>>) => store.secrets.delete("secret-1")],
    ["their agent", (store: Awaited<ReturnType<typeof storeWith>>) => store.agents.delete("agent-1")],
  ])("go with %s", async (_, remove) => {
    const store = await storeWith(issued("a"));
    remove(store);
    expect(store.secrets.get("a")).toBeUndefined();
  });

  test("are deleted by their secret, and by their end", async () => {
    const store = await storeWith(
      issued("a"),
      issued("b", { expiresAt: 6000 }),
      issued("c", { expiresAt: null }),
    );
    expect([store.secrets.deleteExpired(4999), store.secrets.deleteExpired(5000)]).toEqual([0, 1]);
    expect(idsOf(store.secrets.list())).toEqual(["b", "c", "secret-1"]);
    expect(store.secrets.deleteIssued("secret-1")).toBe(2);
    expect(idsOf(store.secrets.list())).toEqual(["secret-1"]);
  });

  test("have a placeholder of their own", async () => {
    await expect(storeWith(issued("a"), issued("b", { placeholder: "fake-a" }))).rejects.toThrow(
      "placeholder",
    );
  });

  test("that name no agent are not read: everyone could use them", async () => {
    const store = await storeWith(issued("a"));
    connectionOf(store).db.exec("UPDATE secrets SET issued_to = NULL WHERE id = 'a'");
    expect(() => store.secrets.list()).toThrow("row a");
  });
});

describe("rules", () => {
  test.each<[string, Partial<Rule>]>([
    ["limit", {}],
    ["block", { action: "block", rateLimit: null, methods: ["DELETE"], pathPattern: "/x*", enabled: false }],
  ])("that %s come back as they were stored", async (_, change) => {
    const store = await temporaryStore();
    store.rules.insert(aRule(change));
    expect(store.rules.list()).toEqual([aRule(change)]);
    const renamed = aRule({ ...change, name: "Other" });
    store.rules.update(renamed);
    expect(store.rules.get("rule-1")).toEqual(renamed);
    expect([store.rules.delete("rule-1"), store.rules.get("rule-1")]).toEqual([true, undefined]);
  });

  test("keep any text", async () => {
    const store = await temporaryStore();
    assert(
      property(string({ unit: "binary" }), (name) => {
        store.rules.insert(aRule({ name }));
        expect(store.rules.get("rule-1")?.name).toBe(name);
        store.rules.delete("rule-1");
      }),
      { numRuns: 200 },
    );
  });
});

describe("keys, authority and API keys", () => {
  test("come back as they were stored", async () => {
    const store = await temporaryStore();
    const key = { id: "k", wrapped: Buffer.from("w"), kekId: "kek", state: "active", createdAt: 1 } as const;
    store.keys.insert(key);
    store.keys.update("k", { state: "deactivated" });
    store.keys.update("k", {});
    expect(store.keys.list()).toEqual([{ ...key, state: "deactivated" }]);
    store.keys.delete("k");
    expect(store.keys.list()).toEqual([]);
    const authority = { id: "a", certificate: "PEM", keySealed: Buffer.from("s"), createdAt: 1 };
    expect(store.authority.get()).toBeUndefined();
    store.authority.insert(authority);
    expect(store.authority.get()).toEqual(authority);
    const apiKey = { id: "i", name: "n", role: "read", hash: "h", preview: "p", createdAt: 1 } as const;
    store.apiKeys.insert(apiKey);
    expect(store.apiKeys.list()).toEqual([apiKey]);
    expect([store.apiKeys.delete("i"), store.apiKeys.delete("i")]).toEqual([true, false]);
  });
});

describe("sealed values", () => {
  test.each([1, 2, 3, 10])("are read page by page, %i at a time, each once", async (count) => {
    const store = await temporaryStore();
    for (const n of [1, 2, 3]) {
      store.agents.insert(anAgent({ id: `a${n}`, identifier: `a${n}` }), aToken(`a${n}`));
      store.secrets.insert(aCredential({ id: `s${n}` }), Buffer.from(`s${n}`));
    }
    store.authority.insert({ id: "c", certificate: "PEM", keySealed: Buffer.from("c"), createdAt: 1 });
    const seen: string[] = [];
    let cells = store.sealed.page(null, count);
    while (cells.length > 0) {
      seen.push(...cells.map((cell) => `${cell.table}/${cell.rowId}`));
      cells = store.sealed.page(cells.at(-1) ?? null, count);
    }
    const expected = [
      "agents/a1",
      "agents/a2",
      "agents/a3",
      "authority/c",
      "secrets/s1",
      "secrets/s2",
      "secrets/s3",
    ];
    expect(seen).toEqual(expected);
  });

  test("are replaced in their own place", async () => {
    const store = await temporaryStore();
    store.secrets.insert(aCredential(), Buffer.from("old"));
    store.sealed.replace({ table: "secrets", rowId: "secret-1" }, Buffer.from("new"));
    expect(store.secrets.valueSealed("secret-1")).toEqual(Buffer.from("new"));
    expect(() => store.sealed.replace({ table: "agents", rowId: "x" }, Buffer.from("n"))).toThrow("no row x");
  });
});

describe("a row that can't be read", () => {
  test.each([
    ["rules", "methods", "'[\"BREW\"]'"],
    ["rules", "methods", "'{'"],
    ["rules", "action", "'maybe'"],
    ["rules", "enabled", "2"],
    ["rules", "rate_limit", "NULL"],
    ["rules", "rate_limit_window", "'week'"],
    ["secrets", "injection_config", '\'[{"headerName":"a b"}]\''],
    ["secrets", "rotation", "'{\"shell\":1}'"],
    ["agents", "secret_mode", "'most'"],
  ])("of %s is named with its column %s, and the next one is read", async (table, column, value) => {
    const store = await temporaryStore();
    store.rules.insert(aRule());
    store.secrets.insert(aCredential(), Buffer.from("sealed"));
    store.agents.insert(anAgent({ id: "agent-1" }), aToken("h"));
    const { db } = connectionOf(store);
    const before = {
      rules: () => store.rules.list(),
      secrets: () => store.secrets.list(),
      agents: () => store.agents.list(),
    };
    expect(before[table as "rules"]()).toHaveLength(1);
    db.exec(`UPDATE ${table} SET ${column} = ${value}`);
    const id = { rules: "rule-1", secrets: "secret-1", agents: "agent-1" }[table as "rules"];
    const message = `table ${table}, row ${id}: column`;
    expect(() => before[table as "rules"]()).toThrow(message);
    expect(() => before[table as "rules"]()).toThrow(column.replace("_window", ""));
    expect(store.meta.get("x")).toBeUndefined();
  });
});
