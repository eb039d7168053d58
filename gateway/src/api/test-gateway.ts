// What the tests of this folder share: the API over a real database and vault in a temporary directory.
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { rootCertificates } from "node:tls";
import type { Role } from "@onecli/sdk/contract";
import { hashToken } from "../agents/token.ts";
import type { Audit, ControlEvent } from "../audit/contract.ts";
import { type AuditTrail, openAudit } from "../audit/open.ts";
import { placeholderFor } from "../inject/placeholder.ts";
import { findConflict } from "../policy/credential-conflict.ts";
import { validateHostPattern } from "../policy/match-host.ts";
import { validatePathPattern } from "../policy/match-path.ts";
import { compileSnapshot } from "../policy/snapshot.ts";
import { openStore } from "../store/open.ts";
import type { Store } from "../store/store.ts";
import type { Vault } from "../vault/contract.ts";
import { openVault } from "../vault/vault.ts";
import { makeApiKey, previewOfKey } from "./api-key.ts";
import { type Api, createApi } from "./app.ts";
import type { ApiParts, Settings } from "./contract.ts";

export const NOW = Date.UTC(2026, 0, 15);
export const CA = "-----BEGIN CERTIFICATE-----\nours\n-----END CERTIFICATE-----\n";

export interface TestGateway extends AsyncDisposable {
  readonly api: Api;
  readonly store: Store;
  readonly vault: Vault;
  readonly dataDir: string;
  readonly parts: ApiParts;
  /** keys in full, by role */
  readonly keys: Readonly<Record<Role, string>>;
  readonly events: ControlEvent[];
  readonly logged: string[];
  /** what the ports saw or shall do */
  readonly state: { changes: number; auditFails: boolean; now: number };
  call(line: string, options?: CallOptions): Promise<Answer>;
}

export interface CallOptions {
  /** null = no Authorization field; absent = the admin key */
  readonly key?: string | null;
  readonly body?: unknown;
  readonly fields?: Readonly<Record<string, string>>;
  readonly source?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into answers of every shape
  readonly body: any;
}

export async function startGateway(settings: Partial<Settings> = {}): Promise<TestGateway> {
  const dataDir = mkdtempSync(path.join(tmpdir(), "api-"));
  cpSync(await (template ??= makeTemplate()), dataDir, { recursive: true });
  const store = await openStore({ dataDir });
  const state = { changes: 0, auditFails: false, now: NOW };
  const vault = await openVault({ store, kek: { dataDir }, clock: () => state.now });
  const recorded = { events: [] as ControlEvent[], logged: [] as string[], state };
  const log = (message: string) => void recorded.logged.push(message);
  const trail = openAudit({ store, vault, clock: () => state.now, log });
  const parts = partsOf({ store, vault, trail, ...recorded }, settings);
  const api = createApi(parts);
  const keys = {
    admin: addKey(store, "admin"),
    runner: addKey(store, "runner"),
    read: addKey(store, "read"),
  };
  return {
    api,
    store,
    vault,
    dataDir,
    parts,
    keys,
    ...recorded,
    call: (line, options = {}) => call(api, line, { key: keys.admin, ...options }),
    async [Symbol.asyncDispose]() {
      api.close();
      trail.stop();
      store.close();
      rmSync(dataDir, { recursive: true });
    },
  };
}

/** A new database and its keys, made once a process: every test gets a copy, which opens much faster. */
let template: Promise<string> | undefined;

async function makeTemplate(): Promise<string> {
  const dataDir = mkdtempSync(path.join(tmpdir(), "api-template-"));
  process.once("exit", () => rmSync(dataDir, { recursive: true, force: true }));
  const store = await openStore({ dataDir });
  await openVault({ store, kek: { dataDir }, clock: () => NOW });
  store.close();
  return dataDir;
}

export function addKey(store: Store, role: Role): string {
  const text = makeApiKey();
  const id = `${role}-${text.slice(3, 11)}`;
  const key = { id, name: role, role, hash: hashToken(text), preview: previewOfKey(text), createdAt: NOW };
  store.apiKeys.insert(key);
  return text;
}

let sources = 0;

async function call(api: Api, line: string, options: CallOptions): Promise<Answer> {
  const request = requestOf(line, options);
  const response = await api.fetch(request, { source: options.source ?? `source-${(sources += 1)}` });
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.startsWith("application/json") ?? false;
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: isJson && text !== "" ? JSON.parse(text) : undefined,
  };
}

export function requestOf(line: string, { key, body, fields = {} }: CallOptions): Request {
  const [method = "GET", target = "/"] = line.split(" ");
  const headers: Record<string, string> = { host: "localhost:10254" };
  if (key !== null && key !== undefined) headers["authorization"] = `Bearer ${key}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
  const payload = text === undefined ? {} : { body: text };
  return new Request(`http://localhost:10254${target}`, {
    method,
    headers: { ...headers, ...fields },
    ...payload,
  });
}

interface Recorded extends Pick<TestGateway, "store" | "vault" | "events" | "logged" | "state"> {
  readonly trail: AuditTrail;
}

function partsOf(recorded: Recorded, settings: Partial<Settings>): ApiParts {
  const { store, vault, trail, logged, state } = recorded;
  return {
    store,
    vault,
    audit: watchedAudit(recorded, trail),
    clock: () => state.now,
    settings: { ...defaults, ...settings },
    caCertificate: CA,
    publicRoots: () => rootCertificates.join("\n"),
    changed: () => void (state.changes += 1),
    policy: {
      validateHostPattern,
      validatePathPattern,
      findConflict,
      credentialsOf: (agentId) => snapshotOf(store).credentialsOf(agentId),
    },
    agentToken: (agentId) => openToken(store, vault, agentId),
    placeholder: (agentId, credential) => placeholderFor(vault.derive("placeholder"), agentId, credential),
    rotateSecret: async () => ({ ok: true, rotatedAt: NOW }),
    listAudit: (query) => trail.list(query),
    verifyAudit: () => trail.verify(),
    metrics: async () => "up 1\n",
    log: (message, detail) => void logged.push(JSON.stringify({ message, detail })),
  };
}

const defaults: Settings = {
  version: "1.2.3",
  publicUrl: (host) => `http://${host}`,
  proxyHost: "host.docker.internal",
  port: 10254,
  noProxy: [],
  allowedHosts: ["localhost", "127.0.0.1", "[::1]"],
  approvalTimeoutSeconds: 180,
  pendingHoldMs: 30,
};

function snapshotOf(store: Store) {
  return compileSnapshot({
    revision: 1,
    agents: store.agents.list(),
    tokens: store.tokens.list(NOW),
    rules: store.rules.list(),
    credentials: store.secrets.list(),
    defaultAction: "allow",
  });
}

function openToken(store: Store, vault: Vault, agentId: string): string {
  const token = store.agents.token(agentId);
  if (token === undefined) throw new Error("no such agent");
  const opened = vault.open({ table: "agents", rowId: agentId, purpose: "agent-token" }, token.sealed);
  // oxlint-disable-next-line no-restricted-properties -- stands in for the port, which lies beside the vault
  return opened.reveal();
}

/** The real one, which can be made to fail and shows its control events; those that are rolled back too. */
function watchedAudit({ events, state }: Pick<Recorded, "events" | "state">, audit: AuditTrail): Audit {
  return {
    ...audit,
    control(event) {
      if (state.auditFails) throw new Error("the disk is full of sk-secret-value");
      audit.control(event);
      events.push(event);
    },
  };
}
