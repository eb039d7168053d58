// Rate limits: fixed windows aligned to the epoch, checked and counted in the order of the commits. The database is
// the truth after a restart, the memory while running; both change in the opening row's transaction or not at all.
import type { Database } from "better-sqlite3";
import { limits } from "../limits.ts";
import type { RateLimit, Rule } from "../model.ts";

export interface Exhausted {
  readonly rule: Rule;
  readonly retryAfterSeconds: number;
}

export interface Counters {
  /** Counts the call against every limit, or against none and says which is exhausted. */
  admit(agentId: string, rules: readonly Rule[], now: number): Exhausted | null;
  /** Writes what was counted since the last commit or rollback; inside a transaction. */
  write(): void;
  commit(): void;
  rollback(): void;
}

interface Counter {
  readonly ruleId: string;
  readonly agentId: string;
  windowMs: number;
  windowStart: number;
  count: number;
}

const windowMs = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;

export function loadCounters(db: Database, now: number): Counters {
  const counters = readCounters(db, now);
  /** counters that changed, as they were */
  const changed = new Map<Counter, Counter>();
  const upsert = prepareUpsert(db);
  const count = (counter: Counter) => {
    if (!changed.has(counter)) changed.set(counter, { ...counter });
    counter.count++;
  };
  return {
    admit: (agentId, rules, now) => {
      const found: Counter[] = [];
      for (const rule of rules) {
        const counter =
          rule.rateLimit && current(counters, { rule, agentId, limit: rule.rateLimit, now, changed });
        // A limit that nobody can count must not let the call through.
        if (!counter) return { rule, retryAfterSeconds: 60 };
        if (counter.count >= (rule.rateLimit?.count ?? 0))
          return { rule, retryAfterSeconds: rest(counter, now) };
        found.push(counter);
      }
      for (const counter of found) count(counter);
      return null;
    },
    write: () => {
      for (const c of changed.keys()) upsert.run(c.ruleId, c.agentId, c.windowMs, c.windowStart, c.count);
    },
    commit: () => changed.clear(),
    rollback: () => {
      for (const [counter, before] of changed) Object.assign(counter, before);
      changed.clear();
    },
  };
}

interface Wanted {
  readonly rule: Rule;
  readonly agentId: string;
  readonly limit: RateLimit;
  readonly now: number;
  readonly changed: Map<Counter, Counter>;
}

/** The counter with its window brought up to now; undefined when there is no room for another one. */
function current(counters: Map<string, Counter>, wanted: Wanted): Counter | undefined {
  const { rule, agentId, limit, now, changed } = wanted;
  const key = `${rule.id}\n${agentId}`;
  const length = windowMs[limit.window];
  const start = now - (now % length);
  const counter = counters.get(key);
  if (counter === undefined) {
    if (counters.size >= limits.auditCountersMax) dropPast(counters, now, changed);
    if (counters.size >= limits.auditCountersMax) return undefined;
    const fresh = { ruleId: rule.id, agentId, windowMs: length, windowStart: start, count: 0 };
    counters.set(key, fresh);
    return fresh;
  }
  // Only forward: a clock that was set back does not open a used window again.
  if (counter.windowMs === length && start <= counter.windowStart) return counter;
  if (!changed.has(counter)) changed.set(counter, { ...counter });
  return Object.assign(counter, { windowMs: length, windowStart: start, count: 0 });
}

function rest({ windowStart, windowMs }: Counter, now: number): number {
  return Math.max(1, Math.ceil((windowStart + windowMs - now) / 1000));
}

function dropPast(counters: Map<string, Counter>, now: number, changed: Map<Counter, Counter>): void {
  for (const [key, counter] of counters) {
    if (counter.windowStart + counter.windowMs <= now && !changed.has(counter)) counters.delete(key);
  }
}

/** Counters of past windows, and of rules or agents that are gone, are dropped at the start. */
function readCounters(db: Database, now: number): Map<string, Counter> {
  db.prepare(
    `DELETE FROM rate_counters WHERE window_start + window_ms <= ?
      OR rule_id NOT IN (SELECT id FROM rules) OR agent_id NOT IN (SELECT id FROM agents)`,
  ).run(now);
  const rows = db.prepare<[], Counter>(
    `SELECT rule_id AS ruleId, agent_id AS agentId, window_ms AS windowMs, window_start AS windowStart, count
      FROM rate_counters`,
  );
  return new Map(rows.all().map((row) => [`${row.ruleId}\n${row.agentId}`, row]));
}

function prepareUpsert(db: Database) {
  return db.prepare(
    `INSERT INTO rate_counters (rule_id, agent_id, window_ms, window_start, count) VALUES (?, ?, ?, ?, ?)
      ON CONFLICT (rule_id, agent_id) DO UPDATE
      SET window_ms = excluded.window_ms, window_start = excluded.window_start, count = excluded.count`,
  );
}
