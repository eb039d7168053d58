import { describe, expect, onTestFinished, test } from "vitest";
import type { ControlEvent } from "../audit/contract.ts";
import { createSecretBook } from "../inject/secret-book.ts";
import { limits } from "../limits.ts";
import type { Credential } from "../model.ts";
import { aCredential, anAgent, aToken, temporaryDirectory, temporaryStore } from "../store/testing.ts";
import { Secret } from "../vault/secret.ts";
import { NOW, reveal, secretContext, vaultOn } from "../vault/testing.ts";
import type { FreshToken, TokenKind } from "./contract.ts";
import { createTokenIssuer } from "./issue.ts";

const root = aCredential({
  name: "Account",
  hostPattern: "login.example.com",
  pathPattern: "/token",
  methods: ["POST"],
  injections: [{ placeholder: ["body"] }],
  issuesTokens: { hostPattern: "api.example.com", pathPattern: "/v1/*" },
});
const fresh = (kind: TokenKind, value: string, expiresInSeconds: number | null = null): FreshToken => ({
  kind,
  value,
  expiresInSeconds,
});

/** An issuer on a real store and vault, whose values are read again with every change. */
async function bench() {
  const store = await temporaryStore();
  const vault = await vaultOn(store, temporaryDirectory());
  const book = createSecretBook({ store, vault, unreadable: ({ name }) => expect.fail(name) });
  onTestFinished(() => book.close());
  store.agents.insert(anAgent(), aToken("1"));
  store.agents.insert(anAgent({ id: "agent-2", identifier: "agent-two" }), aToken("2"));
  using value = Secret.of("real-refresh");
  store.secrets.insert(root, vault.seal(secretContext(root.id), value));
  const state = { now: NOW, changes: 0, auditFails: false };
  const events: ControlEvent[] = [];
  const changed = () => {
    state.changes += 1;
    book.reload(store.secrets.list());
  };
  changed();
  const issuer = createTokenIssuer({
    store,
    vault,
    audit: {
      control: (event) => {
        if (state.auditFails) throw new Error("the disk is full");
        events.push(event);
      },
    },
    clock: () => state.now,
    plaintext: (id) => book.get(id),
    placeholder: (agentId, { id }) => `derived for ${agentId} and ${id}`,
    changed,
  });
  const issue = (tokens: FreshToken[], by: Credential = root, agentId = "agent-1") =>
    issuer.issue({ agentId, issuer: by, placedIds: [by.id], tokens });
  const held = (agentId = "agent-1") => store.secrets.issued(root.id, agentId);
  return { store, vault, state, events, issue, held };
}

describe("a fresh token", () => {
  test("is sealed for the place that its kind is for, and for its agent", async () => {
    const it = await bench();
    const placeholders = it.issue([fresh("access", "A", 60), fresh("refresh", "R"), fresh("id", "I", 0.5)]);
    const tokens = new Map(it.held().map((token) => [token.name, token]));
    const common = { type: "generic", envName: null, rotation: null, createdAt: NOW };
    const issued = { bySecretId: root.id, toAgentId: "agent-1" };
    expect(tokens.get("Account: access token")).toMatchObject({
      ...common,
      hostPattern: "api.example.com",
      pathPattern: "/v1/*",
      methods: null,
      injections: [{ placeholder: ["header", "query"] }],
      issuesTokens: null,
      issued: { ...issued, placeholder: placeholders[0], expiresAt: NOW + 60_000 },
    });
    expect(tokens.get("Account: refresh token")).toMatchObject({
      ...common,
      hostPattern: "login.example.com",
      pathPattern: "/token",
      methods: ["POST"],
      injections: [{ placeholder: ["header", "query", "body"] }],
      issuesTokens: root.issuesTokens,
      issued: { ...issued, placeholder: placeholders[1], expiresAt: null },
    });
    expect(tokens.get("Account: ID token")?.issued).toMatchObject({ expiresAt: NOW + 500 });
    const values = it.held().map(({ id }) => reveal(it.store, it.vault, secretContext(id)));
    expect(values.sort()).toEqual(["A", "I", "R"]);
  });

  test("is on record by name, and in use when it is told", async () => {
    const it = await bench();
    it.issue([fresh("access", "real-access")]);
    expect(it.state.changes).toBe(2);
    expect(it.events).toEqual([
      {
        action: "secret.token_issued",
        actor: "gateway",
        target: it.held()[0]?.id,
        detail: {
          name: "Account: access token",
          bySecretId: root.id,
          agentId: "agent-1",
          agent: "agent-one",
          hostPattern: "api.example.com",
        },
      },
    ]);
  });

  test("that came before keeps its fake key, and lives as long as was said last", async () => {
    const it = await bench();
    const first = it.issue([fresh("access", "A", 60), fresh("access", "A", 60)]);
    it.state.now += 1000;
    expect(it.issue([fresh("access", "A", 60)])).toEqual([first[0]]);
    expect(first[1]).toBe(first[0]);
    expect(it.held()).toHaveLength(1);
    expect(it.held()[0]?.issued?.expiresAt).toBe(NOW + 61_000);
    it.issue([fresh("access", "A", 1)]);
    expect(it.held()[0]?.issued?.expiresAt).toBe(NOW + 61_000);
    expect([it.state.changes, it.events.length]).toEqual([2, 1]);
  });

  test("that another agent or another kind has gets a fake key of its own", async () => {
    const it = await bench();
    const [mine] = it.issue([fresh("access", "A")]);
    expect(it.issue([fresh("access", "A")], root, "agent-2")).not.toContain(mine);
    expect(it.issue([fresh("refresh", "A")])).not.toContain(mine);
  });

  test("that is the stored secret itself keeps the fake key that its agent has", async () => {
    const it = await bench();
    expect(it.issue([fresh("refresh", "real-refresh")])).toEqual(["derived for agent-1 and secret-1"]);
    expect(it.held()).toEqual([]);
  });

  test("got with an issued refresh token belongs to the stored secret", async () => {
    const it = await bench();
    it.issue([fresh("refresh", "R1")]);
    const [first] = it.held();
    if (first === undefined) throw new Error("must be there");
    it.issue([fresh("access", "A")], first);
    expect(it.held().map(({ issued }) => issued?.bySecretId)).toEqual([root.id, root.id]);
  });
});

describe("what is not kept", () => {
  test("nothing of an answer whose record can't be written", async () => {
    const it = await bench();
    it.state.auditFails = true;
    expect(() => it.issue([fresh("access", "A")])).toThrow("the disk is full");
    expect([it.held(), it.state.changes]).toEqual([[], 1]);
  });

  test.each<[string, Partial<Credential> | null]>([
    ["is gone", null],
    ["issues no tokens any more", { issuesTokens: null }],
  ])("tokens whose secret %s", async (_, change) => {
    const it = await bench();
    if (change === null) it.store.secrets.delete(root.id);
    else it.store.secrets.update(root.id, { ...root, ...change });
    expect(() => it.issue([fresh("access", "A")])).toThrow("issues no tokens");
  });

  test("more than the newest, refresh tokens and others counted apart", async () => {
    const it = await bench();
    const max = limits.issuedTokensPerSecretMax;
    it.issue([fresh("refresh", "R")]);
    for (let at = 0; at < max + 2; at += 1) {
      it.state.now += 1;
      it.issue([fresh("access", `A${at}`)]);
    }
    it.issue([fresh("access", "other agent's")], root, "agent-2");
    const values = it.held().map(({ id }) => reveal(it.store, it.vault, secretContext(id)));
    expect(values).toEqual(["R", ...Array.from({ length: max }, (_, at) => `A${at + 2}`)]);
    expect(it.held("agent-2")).toHaveLength(1);
  });

  test("but the token of the call itself stays, however old", async () => {
    const it = await bench();
    it.issue([fresh("refresh", "R0")]);
    const [oldest] = it.held();
    for (let at = 1; at <= limits.issuedTokensPerSecretMax; at += 1) {
      it.state.now += 1;
      it.issue([fresh("refresh", `R${at}`)], oldest);
    }
    expect(it.held()[0]).toEqual(oldest);
    expect(it.held()).toHaveLength(limits.issuedTokensPerSecretMax);
  });
});
