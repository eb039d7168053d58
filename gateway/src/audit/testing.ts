// For tests: an audit over a real database.
import { onTestFinished } from "vitest";
import { connectionOf, openStore } from "../store/open.ts";
import type { Store } from "../store/store.ts";
import type { Rule } from "../model.ts";
import { anAgent, aToken, temporaryDirectory } from "../store/testing.ts";
import type { Audit, Closing, ControlEvent, Opening, OpenResult, RefusalEvent } from "./contract.ts";
import { type AuditTrail, openAudit } from "./open.ts";
import { type AuditVerification, verifyChain } from "./verify.ts";

export const anchorKey = Buffer.alloc(32, 7);

export interface Body {
  readonly seq: number;
  readonly type: string;
  readonly [member: string]: unknown;
}

export interface TemporaryAudit {
  audit: AuditTrail;
  store: Store;
  readonly dataDir: string;
  now: number;
  readonly bodies: () => Body[];
  readonly logged: () => string[];
  readonly verify: () => Promise<AuditVerification>;
  /** Stops in order, lets `meanwhile` change the files, and starts again. */
  readonly restart: (meanwhile?: () => void) => Promise<void>;
}

export async function temporaryAudit({
  now = Date.parse("2030-01-01T00:00:00Z"),
} = {}): Promise<TemporaryAudit> {
  const dataDir = temporaryDirectory();
  const messages: string[] = [];
  const start = (store: Store) =>
    openAudit({
      store,
      vault: { derive: () => anchorKey },
      clock: () => opened.now,
      log: (message) => void messages.push(message),
    });
  const opened = {
    dataDir,
    now,
    store: await openStore({ dataDir }),
    bodies: () => bodies(opened.store),
    logged: () => messages,
    verify: () => verifyChain(connectionOf(opened.store).db, anchorKey),
    restart: async (meanwhile?: () => void) => {
      opened.audit.stop();
      opened.store.close();
      meanwhile?.();
      opened.store = await openStore({ dataDir });
      opened.audit = start(opened.store);
    },
  } as TemporaryAudit;
  opened.audit = start(opened.store);
  onTestFinished(() => {
    opened.audit.stop();
    opened.store.close();
  });
  return opened;
}

function bodies(store: Store): Body[] {
  const query = connectionOf(store)
    .db.prepare<[], string>("SELECT body FROM audit_records ORDER BY seq")
    .pluck();
  return query.all().map((text) => JSON.parse(text) as Body);
}

/** The rule and agent that counters need to outlive a restart. */
export function storeLimits(store: Store, ...rules: Rule[]): void {
  store.agents.insert(anAgent(), aToken("h"));
  for (const rule of rules) store.rules.insert(rule);
}

export function openResult(audit: Audit, change: Partial<Opening> = {}): Promise<OpenResult> {
  return new Promise((resolve) => {
    audit.open(anOpening(change), resolve);
  });
}

export function anOpening(change: Partial<Opening> = {}): Opening {
  return {
    exchangeId: "8f14e45f-ceea-467f-9c3b-000000000000",
    agentId: "agent-1",
    agent: "agent-one",
    tokenId: "token-1",
    method: "GET",
    authority: "api.example.com:443",
    path: "/v1/things",
    scheme: "https",
    rule: null,
    secrets: ["Example key"],
    limits: [],
    ...change,
  };
}

export function aClosing(change: Partial<Closing> = {}): Closing {
  return {
    exchangeId: "8f14e45f-ceea-467f-9c3b-000000000000",
    status: 200,
    outcome: "complete",
    error: null,
    requestBytes: 0,
    responseBytes: 512,
    headersMs: 10,
    totalMs: 12,
    ...change,
  };
}

export function aRefusal(change: Partial<RefusalEvent> = {}): RefusalEvent {
  return {
    agentId: "agent-1",
    agent: "agent-one",
    method: "DELETE",
    authority: "api.example.com:443",
    path: "/v1/things",
    code: "blocked_by_policy",
    status: 403,
    rule: "No deletes",
    ...change,
  };
}

export function controlEvent(action: string): ControlEvent {
  return { action, actor: "key-1", target: null, detail: {} };
}
