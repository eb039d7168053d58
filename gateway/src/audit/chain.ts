// The hash chain: each row's hash covers the hash before it and the row's own text, so no row can be changed, removed
// or moved without breaking every later one.
import { hash as digest } from "node:crypto";
import type { Database } from "better-sqlite3";
import { limits } from "../limits.ts";
import type { Connection } from "../store/connection.ts";
import { headWriter, readHead } from "./head.ts";
import { body, type Tail } from "./record.ts";
import { createSegments } from "./segments.ts";
import { genesis, type Position, sameBytes, type Signer } from "./signature.ts";

export interface Chain {
  /** Inside a transaction, after `guard`. */
  append(tail: Tail): void;
  /** Closes a segment that is old enough and signs the end when that is due; inside a transaction. */
  settle(now: number, force?: boolean): void;
  /** Puts the head back when the current transaction is rolled back. */
  guard(): void;
  readonly head: Position;
  /** rows since the end was signed last */
  readonly unsigned: boolean;
  /** what was wrong when the chain was opened */
  readonly problem: string | null;
}

interface State {
  seq: number;
  hash: Buffer;
  segmentId: number;
  segmentFirst: number;
  /** `ms` since the epoch */
  segmentOpenedAt: number;
  signedSeq: number;
  signedAt: number;
}

/** Follows from nothing: the break in the chain stays visible for as long as its rows are kept. */
const BREAK = Buffer.alloc(32, 0xff);
const HASH_BYTES = 32;

export function openChain(connection: Connection, signer: Signer, now: number): Chain {
  const { db, transactions } = connection;
  const segments = createSegments(db, signer);
  const { position, problem } = findEnd(db, signer);
  const newest = segments.newest();
  const state: State = {
    seq: position.seq,
    hash: position.hash,
    segmentId: (newest?.id ?? 0) + 1,
    segmentFirst: (newest?.lastSeq ?? 0) + 1,
    segmentOpenedAt: now,
    signedSeq: -1,
    signedAt: 0,
  };
  state.segmentOpenedAt = timeOf(db, state.segmentFirst) ?? now;
  const insert = db.prepare("INSERT INTO audit_records (seq, body, hash) VALUES (?, ?, ?)");
  const writeHead = headWriter(db, signer);

  const closeSegment = (closedAt: number) => {
    const { segmentId: id, segmentFirst: firstSeq, seq: lastSeq, hash: lastHash } = state;
    segments.insert({ id, firstSeq, lastSeq, lastHash, closedAt, retiredAt: null });
    Object.assign(state, { segmentId: id + 1, segmentFirst: lastSeq + 1, segmentOpenedAt: closedAt });
  };
  return {
    append: (tail) => {
      const seq = state.seq + 1;
      const text = body(seq, tail);
      const hash = chainHash(state.hash, text);
      insert.run(seq, text, hash);
      state.seq = seq;
      state.hash = hash;
    },
    settle: (now, force = false) => {
      if (isSegmentFull(state, now)) closeSegment(now);
      // A clock that was set back must not put the signature off.
      if (!force && Math.abs(now - state.signedAt) < limits.auditHeadIntervalMs) return;
      writeHead(state);
      state.signedSeq = state.seq;
      state.signedAt = now;
    },
    guard: () => {
      const saved = { ...state };
      transactions.onRollback(() => Object.assign(state, saved));
    },
    get head() {
      return { seq: state.seq, hash: state.hash };
    },
    get unsigned() {
      return state.signedSeq !== state.seq;
    },
    problem,
  };
}

let scratch = Buffer.allocUnsafeSlow(64 * 1024);

/** SHA-256 of the hash before, then the text in UTF-8. */
export function chainHash(previous: Uint8Array, text: string): Buffer {
  // UTF-8 takes at most three bytes for a UTF-16 unit.
  const bytesMax = HASH_BYTES + text.length * 3;
  if (bytesMax > scratch.length) scratch = Buffer.allocUnsafeSlow(bytesMax * 2);
  scratch.set(previous, 0);
  const end = HASH_BYTES + scratch.write(text, HASH_BYTES, "utf8");
  return digest("sha256", scratch.subarray(0, end), "buffer");
}

function isSegmentFull({ seq, segmentFirst, segmentOpenedAt }: State, now: number): boolean {
  const rows = seq - segmentFirst + 1;
  return (
    rows >= limits.auditSegmentRowsMax || (rows > 0 && now - segmentOpenedAt >= limits.auditSegmentAgeMsMax)
  );
}

/** Where the chain goes on. When rows are gone or changed it goes on from what was signed, so that the break shows. */
function findEnd(db: Database, signer: Signer): { position: Position; problem: string | null } {
  const last = lastPosition(db, signer);
  const head = readHead(db, signer);
  if (head.state !== "valid") {
    if (head.state === "missing" && last.seq === 0) return { position: genesis, problem: null };
    return {
      position: { seq: last.seq, hash: BREAK },
      problem: `the signed end of the audit chain is ${head.state}`,
    };
  }
  const { position: signed } = head;
  if (signed.seq > last.seq) {
    return { position: signed, problem: `audit rows ${last.seq + 1} to ${signed.seq} are missing` };
  }
  const found = hashAt(db, signer, signed.seq);
  if (found !== undefined && sameBytes(found, signed.hash)) return { position: last, problem: null };
  return {
    position: { seq: last.seq, hash: BREAK },
    problem: `audit row ${signed.seq} is not the one that was signed`,
  };
}

function lastPosition(db: Database, signer: Signer): Position {
  const row = db.prepare<[], Position>("SELECT seq, hash FROM audit_records ORDER BY seq DESC LIMIT 1").get();
  const oldest = oldestPosition(db, signer);
  return row !== undefined && row.seq > oldest.seq ? row : oldest;
}

/** What the oldest row that is kept follows from. */
function oldestPosition(db: Database, signer: Signer): Position {
  const retired = createSegments(db, signer).newestRetired();
  return retired === undefined ? genesis : { seq: retired.lastSeq, hash: retired.lastHash };
}

function hashAt(db: Database, signer: Signer, seq: number): Buffer | undefined {
  const oldest = oldestPosition(db, signer);
  if (seq === oldest.seq) return oldest.hash;
  return db.prepare<[number], Buffer>("SELECT hash FROM audit_records WHERE seq = ?").pluck().get(seq);
}

function timeOf(db: Database, seq: number): number | undefined {
  const query = db.prepare<[number], string>("SELECT body FROM audit_records WHERE seq = ?").pluck();
  const at = /"at":"([^"]{20,30})"/.exec(query.get(seq) ?? "")?.[1];
  const time = at === undefined ? Number.NaN : Date.parse(at);
  return Number.isNaN(time) ? undefined : time;
}
