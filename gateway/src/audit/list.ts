// Pages of the audit for the API. There is no index besides the sequence number (it would cost more than the row), so
// a filter reads a bounded number of rows and says where to go on.
import { auditRecord, type AuditRecord, type auditQuery } from "@onecli/sdk/contract";
import type { Database } from "better-sqlite3";
import type { z } from "zod";
import { limits } from "../limits.ts";

export type AuditQuery = z.output<typeof auditQuery>;

export interface AuditPage {
  readonly records: AuditRecord[];
  /** `before` of the next page; null = nothing older is left */
  readonly nextBefore: number | null;
  /** `after` of the next page when the query had one; null otherwise */
  readonly nextAfter: number | null;
}

interface Row {
  readonly seq: number;
  readonly body: string;
}

/** Sequence numbers, both ends excluded. */
interface Range {
  readonly low: number;
  readonly high: number;
}

const member = (name: string) => `CASE WHEN json_valid(body) THEN body ->> '$.${name}' END`;

const filters = `
  (@type IS NULL OR ${member("type")} = @type)
  AND (@agent IS NULL OR @agent IN (${member("agentId")}, ${member("agent")}))
  AND (@host IS NULL OR ${member("authority")} = @host
    OR substr(${member("authority")}, 1, length(@host) + 1) = @host || ':')
  AND (@verdict IS NULL OR ${member("code")} = @verdict OR ${member("outcome")} = @verdict
    OR ${member("error")} = @verdict
    OR (@verdict = 'permit' AND ${member("type")} = 'open')
    OR (@verdict = 'deny' AND ${member("type")} = 'refusal'))`;

/** `verdict` is `permit`, `deny`, or the code, outcome or error of a record. */
export function listAudit(db: Database, query: AuditQuery): AuditPage {
  return query.after === undefined ? older(db, query, query.before) : newer(db, query, query.after);
}

function older(db: Database, query: AuditQuery, before = Number.MAX_SAFE_INTEGER): AuditPage {
  const { first, last } = bounds(db);
  const high = Math.min(before, last + 1);
  const low = Math.max(first - 1, high - 1 - limits.auditScanRowsMax);
  const records = select(db, { ...query, order: "DESC" }, { low, high });
  const reached = records.length === query.limit ? records.at(-1)?.seq : low + 1;
  return { records, nextBefore: reached !== undefined && reached > first ? reached : null, nextAfter: null };
}

function newer(db: Database, query: AuditQuery, after: number): AuditPage {
  const { first, last } = bounds(db);
  const low = Math.max(after, first - 1);
  const high = Math.min(last + 1, low + 1 + limits.auditScanRowsMax, query.before ?? Infinity);
  const records = select(db, { ...query, order: "ASC" }, { low, high });
  const reached = records.length === query.limit ? records.at(-1)?.seq : high - 1;
  return { records, nextBefore: null, nextAfter: Math.max(reached ?? after, after) };
}

function bounds(db: Database): { first: number; last: number } {
  const one = (name: "min" | "max") =>
    db.prepare<[], number | null>(`SELECT ${name}(seq) FROM audit_records`).pluck().get() ?? 0;
  return { first: one("min"), last: one("max") };
}

function select(db: Database, query: AuditQuery & { order: "ASC" | "DESC" }, range: Range): AuditRecord[] {
  const { type = null, agent = null, host = null, verdict = null, limit } = query;
  const statement = db.prepare<[object], Row>(
    `SELECT seq, body FROM audit_records WHERE seq > @low AND seq < @high AND ${filters}
      ORDER BY seq ${query.order} LIMIT @limit`,
  );
  return statement.all({ ...range, type, agent, host, verdict, limit }).map(toRecord);
}

/** A row that someone made unreadable is shown as such: verification says more. */
function toRecord({ seq, body }: Row): AuditRecord {
  try {
    const parsed = auditRecord.safeParse(JSON.parse(body));
    if (parsed.success) return parsed.data;
  } catch {
    // not JSON: below
  }
  return { seq, type: "unreadable", at: new Date(0).toISOString() };
}
