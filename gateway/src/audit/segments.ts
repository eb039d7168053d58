// Closed ranges of the chain, signed when they close and again when their rows are retired.
import type { Database } from "better-sqlite3";
import { sameBytes, type Segment, type Signer } from "./signature.ts";

export interface SignedSegment extends Segment {
  readonly anchor: Buffer;
}

interface SegmentRow {
  id: number;
  first_seq: number;
  last_seq: number;
  last_hash: Buffer;
  closed_at: number;
  retired_at: number | null;
  anchor: Buffer;
}

export interface Segments {
  newest(): SignedSegment | undefined;
  newestRetired(): SignedSegment | undefined;
  /** Those whose rows are there, oldest first. */
  closed(): SignedSegment[];
  insert(segment: Segment): void;
  markRetired(segment: Segment): void;
}

export function createSegments(db: Database, signer: Signer): Segments {
  const select = (rest: string) => db.prepare<[], SegmentRow>(`SELECT * FROM audit_segments ${rest}`);
  const newest = select("ORDER BY id DESC LIMIT 1");
  const newestRetired = select("WHERE retired_at IS NOT NULL ORDER BY id DESC LIMIT 1");
  const closed = select("WHERE retired_at IS NULL ORDER BY id");
  const insert = db.prepare(
    "INSERT INTO audit_segments (id, first_seq, last_seq, last_hash, closed_at, retired_at, anchor) VALUES (?, ?, ?, ?, ?, ?, ?)",
  );
  const retire = db.prepare("UPDATE audit_segments SET retired_at = ?, anchor = ? WHERE id = ?");
  return {
    newest: () => fromRow(newest.get()),
    newestRetired: () => fromRow(newestRetired.get()),
    closed: () => closed.all().flatMap((row) => fromRow(row) ?? []),
    insert: (s) =>
      void insert.run(s.id, s.firstSeq, s.lastSeq, s.lastHash, s.closedAt, s.retiredAt, signer.segment(s)),
    markRetired: (s) => void retire.run(s.retiredAt, signer.segment(s), s.id),
  };
}

export function isSigned(segment: SignedSegment, signer: Signer): boolean {
  return sameBytes(segment.anchor, signer.segment(segment));
}

function fromRow(row: SegmentRow | undefined): SignedSegment | undefined {
  return (
    row && {
      id: row.id,
      firstSeq: row.first_seq,
      lastSeq: row.last_seq,
      lastHash: row.last_hash,
      closedAt: row.closed_at,
      retiredAt: row.retired_at,
      anchor: row.anchor,
    }
  );
}
