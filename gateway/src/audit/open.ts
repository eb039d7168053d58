// The audit's one writer. Everything of an event-loop turn goes into one transaction: rows, hashes, rate counters. An
// exchange goes on only after its opening row is committed.
import { limits } from "../limits.ts";
import type { Clock } from "../model.ts";
import type { Connection } from "../store/connection.ts";
import { connectionOf } from "../store/open.ts";
import type { Store } from "../store/store.ts";
import type { Vault } from "../vault/contract.ts";
import { type Chain, openChain } from "./chain.ts";
import { type Challenges, createChallenges } from "./challenges.ts";
import type { Audit, ControlEvent } from "./contract.ts";
import { type Counters, loadCounters } from "./counters.ts";
import { type AuditPage, type AuditQuery, listAudit } from "./list.ts";
import { type Entry, unattended, unavailable, waiting } from "./queue.ts";
import { challengeTail, closeTail, controlTail, openTail, refusalTail, type Tail } from "./record.ts";
import { retire } from "./retention.ts";
import { createSigner, type Signer } from "./signature.ts";
import { type AuditVerification, verifyChain } from "./verify.ts";

export interface AuditOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** Its key for `audit-anchor` is the same for the life of the installation. */
  readonly vault: Pick<Vault, "derive">;
  /** What an operator must hear of; never holds values of a record. */
  readonly log: (message: string) => void;
}

export interface AuditTrail extends Audit {
  list(query: AuditQuery): AuditPage;
  verify(): Promise<AuditVerification>;
  /** Deletes whole segments that closed longer ago than this; number of segments. */
  retire(olderThanMs: number): Promise<number>;
}

interface Writer {
  readonly connection: Connection;
  readonly chain: Chain;
  readonly counters: Counters;
  readonly signer: Signer;
  readonly clock: Clock;
  readonly log: (message: string) => void;
  queue: Entry[];
  scheduled: boolean;
  /** while commits fail, rows that nobody waits for are tried again after a pause and not in every turn */
  retry: NodeJS.Timeout | undefined;
  /** for closing rows that no opening took along */
  soon: NodeJS.Timeout | undefined;
  healthy: boolean;
  stopped: boolean;
  /** rows that found no room in the queue since the last commit */
  dropped: number;
}

export function openAudit(options: AuditOptions): AuditTrail {
  const { clock, log } = options;
  const connection = connectionOf(options.store);
  const anchorKey = options.vault.derive("audit-anchor");
  const signer = createSigner(anchorKey);
  const writer: Writer = {
    connection,
    chain: openChain(connection, signer, clock()),
    counters: loadCounters(connection.db, clock()),
    signer,
    clock,
    log,
    queue: [],
    scheduled: false,
    retry: undefined,
    soon: undefined,
    healthy: true,
    stopped: false,
    dropped: 0,
  };
  recordStart(writer);
  return auditTrail(writer, anchorKey);
}

function auditTrail(writer: Writer, anchorKey: Buffer): AuditTrail {
  const at = timestamps(writer.clock);
  const challenges = createChallenges((sources) => enqueue(writer, unattended(challengeTail(at(), sources))));
  const timer = setInterval(() => signWhenIdle(writer), limits.auditHeadIntervalMs).unref();
  return {
    open: (opening, done) => {
      if (writer.stopped || writer.queue.length >= limits.auditQueueRowsMax) return done(unavailable);
      return enqueue(writer, waiting(openTail(at(), opening), opening, done));
    },
    close: (closing) => enqueue(writer, unattended(closeTail(at(), closing)), "soon"),
    refuse: (event) => enqueue(writer, unattended(refusalTail(at(), event))),
    challenge: (source) => challenges.add(source),
    control: (event) => control(writer, at(), event),
    get healthy() {
      return writer.healthy;
    },
    flush: () => flush(writer),
    stop: () => {
      clearInterval(timer);
      stop(writer, challenges);
    },
    list: (query) => listAudit(writer.connection.db, query),
    verify: () => verifyChain(writer.connection.db, anchorKey),
    retire: (olderThanMs) => retire(writer, olderThanMs),
  };
}

/** Closings and refusals get as much room again: their exchanges are over, and what they tell is not to be lost. */
function enqueue(writer: Writer, entry: Entry, when: "now" | "soon" = "now"): void {
  if (writer.stopped || writer.queue.length >= limits.auditQueueRowsMax * 2) {
    writer.dropped++;
    return;
  }
  writer.queue.push(entry);
  if (when === "now") schedule(writer);
  else writer.soon ??= setTimeout(flushSoon, limits.auditCloseDelayMs, writer).unref();
}

/** Nobody waits for a closing row: it goes with the next opening's transaction, or a little later by itself. */
function flushSoon(writer: Writer): void {
  writer.soon = undefined;
  if (writer.queue.length > 0) schedule(writer);
}

function schedule(writer: Writer): void {
  if (writer.scheduled) return;
  if (writer.healthy || writer.queue.at(-1)?.done) {
    writer.scheduled = true;
    setImmediate(flush, writer);
  } else {
    writer.retry ??= setTimeout(flush, limits.auditRetryMs, writer).unref();
  }
}

function flush(writer: Writer): void {
  writer.scheduled = false;
  clearTimeout(writer.soon);
  writer.soon = undefined;
  clearTimeout(writer.retry);
  writer.retry = undefined;
  const batch = writer.queue;
  if (batch.length === 0) return;
  // Called inside somebody's transaction: these rows must not be undone with it.
  if (writer.connection.transactions.active) return schedule(writer);
  writer.queue = [];
  try {
    writer.connection.transactions.run(() => writeBatch(writer, batch));
    writer.counters.commit();
    recovered(writer);
  } catch (error) {
    writer.counters.rollback();
    failed(writer, batch, error);
  }
  for (const entry of batch) if (entry.done !== null) answer(writer, entry);
}

function writeBatch(writer: Writer, batch: readonly Entry[]): void {
  const { chain, counters } = writer;
  const now = writer.clock();
  chain.guard();
  if (writer.dropped > 0) chain.append(droppedTail(writer, now));
  for (const entry of batch) {
    const { opening } = entry;
    if (opening !== null && opening.limits.length > 0) {
      const exhausted = counters.admit(opening.agentId, opening.limits, now);
      if (exhausted !== null) {
        entry.result = { ok: false, code: "rate_limited", ...exhausted };
        continue;
      }
    }
    chain.append(entry.tail);
  }
  counters.write();
  chain.settle(now);
}

function answer(writer: Writer, entry: Entry): void {
  try {
    entry.done?.(entry.result);
  } catch (error) {
    // One caller's fault must not keep the answer from the others.
    writer.log(`a caller of the audit failed on its answer (${reason(error)})`);
  }
}

function recovered(writer: Writer): void {
  writer.dropped = 0;
  if (writer.healthy) return;
  writer.healthy = true;
  writer.log("audit rows are written again");
}

function failed(writer: Writer, batch: readonly Entry[], error: unknown): void {
  if (writer.healthy)
    writer.log(`audit rows can't be written (${reason(error)}): calls are refused until they can`);
  writer.healthy = false;
  for (const entry of batch) if (entry.done !== null) entry.result = unavailable;
  const unattendedRows = batch.filter((entry) => entry.done === null);
  if (unattendedRows.length === 0) return;
  writer.queue = [...unattendedRows, ...writer.queue];
  schedule(writer);
}

function droppedTail(writer: Writer, now: number): Tail {
  const detail = { count: writer.dropped };
  const event = { action: "audit.rows_dropped", actor: "gateway", target: null, detail };
  return controlTail(new Date(now).toISOString(), event);
}

function control(writer: Writer, at: string, event: ControlEvent): void {
  if (writer.stopped) throw new Error("the audit has stopped");
  const { chain, connection } = writer;
  connection.transactions.run(() => {
    chain.guard();
    chain.append(controlTail(at, event));
    chain.settle(writer.clock());
  });
}

function recordStart(writer: Writer): void {
  const { chain, log, clock } = writer;
  const { problem } = chain;
  if (problem !== null) {
    log(`${problem}: the database was changed by someone else; the break stays visible in the chain`);
    const event = { action: "audit.chain_broken", actor: "gateway", target: null, detail: { problem } };
    control(writer, new Date(clock()).toISOString(), event);
  }
  signHead(writer);
}

function signWhenIdle(writer: Writer): void {
  if (writer.stopped || !writer.chain.unsigned || writer.connection.transactions.active) return;
  try {
    signHead(writer);
  } catch (error) {
    if (writer.healthy) writer.log(`the end of the audit chain could not be signed (${reason(error)})`);
  }
}

function signHead(writer: Writer): void {
  writer.connection.transactions.run(() => {
    writer.chain.guard();
    writer.chain.settle(writer.clock(), true);
  });
}

function stop(writer: Writer, challenges: Challenges): void {
  if (writer.stopped) return;
  challenges.flush();
  flush(writer);
  signWhenIdle(writer);
  if (writer.queue.length > 0)
    writer.log(`${writer.queue.length} audit rows could not be written before the end`);
  writer.stopped = true;
}

/** The text of the current millisecond, made once. */
function timestamps(clock: Clock): () => string {
  let time = -1;
  let text = "";
  return () => {
    const now = clock();
    if (now === time) return text;
    time = now;
    text = new Date(now).toISOString();
    return text;
  };
}

/** The code only: a message could quote what it stumbled over. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  return "code" in error && typeof error.code === "string" ? error.code : error.name;
}
