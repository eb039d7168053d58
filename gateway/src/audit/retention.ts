// Deletes whole segments when they are old enough, a few rows at a time. The signed end of the last one is kept: the
// chain goes on from there.
import { setImmediate as nextTurn } from "node:timers/promises";
import { limits } from "../limits.ts";
import type { Clock } from "../model.ts";
import type { Connection } from "../store/connection.ts";
import type { Chain } from "./chain.ts";
import { controlTail } from "./record.ts";
import { createSegments, isSigned, type Segments, type SignedSegment } from "./segments.ts";
import type { Signer } from "./signature.ts";

export interface RetentionOptions {
  readonly audit: { retire(olderThanMs: number): Promise<number> };
  readonly olderThanMs: number;
  readonly log: (message: string) => void;
  /** `ms` between two looks */
  readonly intervalMs?: number;
}

const HOUR_MS = 3_600_000;

/** Looks at once, then every hour. */
export function startRetention(options: RetentionOptions): { stop(): void } {
  let running = false;
  const look = async () => {
    if (running) return;
    running = true;
    try {
      await options.audit.retire(options.olderThanMs);
    } catch {
      options.log("old audit rows could not be deleted; the next attempt is in an hour");
    } finally {
      running = false;
    }
  };
  const timer = setInterval(() => void look(), options.intervalMs ?? HOUR_MS).unref();
  void look();
  return { stop: () => clearInterval(timer) };
}

interface Retiring {
  readonly connection: Connection;
  readonly chain: Chain;
  readonly signer: Signer;
  readonly clock: Clock;
  readonly log: (message: string) => void;
  readonly stopped: boolean;
}

/** Number of segments that were retired. */
export async function retire(writer: Retiring, olderThanMs: number): Promise<number> {
  const segments = createSegments(writer.connection.db, writer.signer);
  // Rows that were left when the process ended in the middle of the last time.
  await deleteRows(writer, segments.newestRetired()?.lastSeq ?? 0);
  const before = writer.clock() - olderThanMs;
  let retired = 0;
  for (const segment of segments.closed()) {
    if (segment.closedAt > before || writer.stopped) break;
    if (!isSigned(segment, writer.signer)) {
      // Evidence of a change is not deleted.
      writer.log(`audit segment ${segment.id} was changed by someone else: nothing older is deleted`);
      break;
    }
    markRetired(writer, segments, segment);
    await deleteRows(writer, segment.lastSeq);
    retired++;
  }
  return retired;
}

/** First the new anchor, then the rows: at every moment in between the chain verifies from the anchor. */
function markRetired(writer: Retiring, segments: Segments, segment: SignedSegment): void {
  const { chain, connection } = writer;
  const now = writer.clock();
  const { firstSeq, lastSeq } = segment;
  const event = { action: "audit.segment_retired", actor: "gateway", target: String(segment.id) };
  connection.transactions.run(() => {
    chain.guard();
    segments.markRetired({ ...segment, retiredAt: now });
    chain.append(controlTail(new Date(now).toISOString(), { ...event, detail: { firstSeq, lastSeq } }));
    chain.settle(now, true);
  });
}

async function deleteRows(writer: Retiring, lastSeq: number): Promise<void> {
  const { db, transactions } = writer.connection;
  const oldest = db.prepare<[], number | null>("SELECT min(seq) FROM audit_records").pluck();
  const remove = db.prepare("DELETE FROM audit_records WHERE seq <= ?");
  let first = oldest.get() ?? Infinity;
  while (first <= lastSeq && !writer.stopped) {
    const upTo = Math.min(first + limits.auditRetireBatchRows - 1, lastSeq);
    transactions.run(() => remove.run(upTo));
    await nextTurn();
    first = writer.stopped ? Infinity : (oldest.get() ?? Infinity);
  }
}
