// For tests: a real database in a directory of its own.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { onTestFinished } from "vitest";
import type { Agent, Credential, Rule } from "../model.ts";
import { openStore, type StoreOptions } from "./open.ts";
import type { Store } from "./store.ts";

export function temporaryDirectory(): string {
  const directory = mkdtempSync(path.join(tmpdir(), "onecli-store-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export async function temporaryStore(options: Partial<StoreOptions> = {}): Promise<Store> {
  const store = await openStore({ dataDir: temporaryDirectory(), ...options });
  onTestFinished(() => store.close());
  return store;
}

export function anAgent(change: Partial<Agent> = {}): Agent {
  return {
    id: "agent-1",
    name: "Agent one",
    identifier: "agent-one",
    isDefault: false,
    secretMode: "all",
    defaultAction: null,
    createdBy: null,
    secretIds: [],
    createdAt: 1000,
    ...change,
  };
}

export function aCredential(change: Partial<Credential> = {}): Credential {
  return {
    id: "secret-1",
    name: "Example key",
    type: "generic",
    authMode: null,
    hostPattern: "api.example.com",
    pathPattern: null,
    methods: null,
    injections: [{ headerName: "x-api-key", valueFormat: "{value}" }],
    envName: null,
    rotation: null,
    rotatedAt: null,
    issuesTokens: null,
    issued: null,
    createdAt: 1000,
    ...change,
  };
}

export function aRule(change: Partial<Rule> = {}): Rule {
  return {
    id: "rule-1",
    name: "Five a minute",
    hostPattern: "*.example.com",
    pathPattern: null,
    methods: null,
    action: "rate_limit",
    enabled: true,
    agentId: null,
    rateLimit: { count: 5, window: "minute" },
    createdAt: 1000,
    ...change,
  };
}

export function aToken(hash: string) {
  return { hash, sealed: Buffer.from(`sealed ${hash}`) };
}
