// Computes the chain again, from its oldest row or from the signed end of what was retired. What it finds: a row
// that was changed, removed, moved or added, up to the signed end (`limits.auditHeadIntervalMs` behind the newest row
// at most, exact after an orderly stop). What no check inside the database can find: the whole database put back to
// an older copy of itself.
import { setImmediate as nextTurn } from "node:timers/promises";
import type { auditVerification } from "@onecli/sdk/contract";
import type { Database } from "better-sqlite3";
import type { z } from "zod";
import { limits } from "../limits.ts";
import { chainHash } from "./chain.ts";
import { readHead, type SignedHead } from "./head.ts";
import { createSegments, isSigned, type Segments, type SignedSegment } from "./segments.ts";
import { createSigner, genesis, type Position, sameBytes, type Signer } from "./signature.ts";

export type AuditVerification = z.output<typeof auditVerification>;

interface Row {
  readonly seq: number;
  readonly body: string;
  readonly hash: Buffer;
}

interface Walk {
  readonly signer: Signer;
  readonly segments: Segments;
  readonly head: SignedHead;
  /** newest row when the walk began; later ones are not looked at */
  readonly lastSeq: number;
  /** closed segments by the sequence number of their last row */
  readonly ends: ReadonlyMap<number, SignedSegment>;
  position: Position;
  records: number;
  checkedSegments: number;
  fromSeq: number | null;
  toSeq: number | null;
}

export async function verifyChain(db: Database, anchorKey: Buffer): Promise<AuditVerification> {
  const walk = startWalk(db, createSigner(anchorKey));
  const problem = checkAnchor(walk) ?? checkHead(walk) ?? checkSegments(walk) ?? (await checkRows(db, walk));
  const { records, checkedSegments: segments, fromSeq, toSeq } = walk;
  return { valid: problem === null, records, segments, fromSeq, toSeq, problem };
}

/** All of this in one turn, so that it is one state of the database. */
function startWalk(db: Database, signer: Signer): Walk {
  const segments = createSegments(db, signer);
  const newest = db.prepare<[], number | null>("SELECT max(seq) FROM audit_records").pluck().get() ?? 0;
  const position = anchorPosition(segments);
  return {
    signer,
    segments,
    head: readHead(db, signer),
    lastSeq: Math.max(newest, position.seq),
    ends: new Map(segments.closed().map((segment) => [segment.lastSeq, segment])),
    position,
    records: 0,
    checkedSegments: 0,
    fromSeq: null,
    toSeq: null,
  };
}

function anchorPosition(segments: Segments): Position {
  const retired = segments.newestRetired();
  return retired === undefined ? genesis : { seq: retired.lastSeq, hash: retired.lastHash };
}

function checkAnchor({ segments, signer }: Walk): string | null {
  const retired = segments.newestRetired();
  if (retired === undefined || isSigned(retired, signer)) return null;
  return `the anchor of retired segment ${retired.id} was not signed by this installation`;
}

function checkHead({ head, lastSeq, position }: Walk): string | null {
  if (head.state === "missing") return lastSeq === 0 ? null : "the signed end of the chain is missing";
  if (head.state !== "valid") return "the signed end of the chain was not signed by this installation";
  const { seq, hash } = head.position;
  if (seq > lastSeq) return `${rows(lastSeq + 1, seq)} missing at the end`;
  if (seq < position.seq) return "the signed end of the chain is older than the retired rows";
  // Equal: every row up to the signed end was retired, so no row is left to compare with.
  if (seq === position.seq && !sameBytes(hash, position.hash)) return "the anchor is not the signed end";
  return null;
}

/** Closed segments follow each other without a gap and are signed. */
function checkSegments({ ends, position, signer, lastSeq }: Walk): string | null {
  let next = position.seq + 1;
  for (const segment of ends.values()) {
    if (!isSigned(segment, signer)) return `segment ${segment.id} was not signed by this installation`;
    if (segment.firstSeq !== next) return `the segment that begins with row ${next} is missing`;
    next = segment.lastSeq + 1;
  }
  return next - 1 > lastSeq ? `${rows(lastSeq + 1, next - 1)} missing at the end` : null;
}

async function checkRows(db: Database, walk: Walk): Promise<string | null> {
  const page = db.prepare<[number, number, number], Row>(
    "SELECT seq, body, hash FROM audit_records WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
  );
  while (walk.position.seq < walk.lastSeq) {
    const found = page.all(walk.position.seq, walk.lastSeq, limits.auditVerifyPageRows);
    if (found[0]?.seq !== walk.position.seq + 1) {
      if (skipRetired(walk)) continue;
      return `${rows(walk.position.seq + 1, (found[0]?.seq ?? walk.lastSeq + 1) - 1)} missing`;
    }
    for (const row of found) {
      const problem = checkRow(walk, row);
      if (problem !== null) return problem;
    }
    await nextTurn();
  }
  return null;
}

/** Retention may delete rows while the walk waits for its next turn; then it goes on from the new anchor. */
function skipRetired(walk: Walk): boolean {
  const anchor = anchorPosition(walk.segments);
  if (anchor.seq <= walk.position.seq || checkAnchor(walk) !== null) return false;
  walk.position = anchor;
  return true;
}

function checkRow(walk: Walk, { seq, body, hash }: Row): string | null {
  const { position, head, ends } = walk;
  if (seq !== position.seq + 1) return `${rows(position.seq + 1, seq - 1)} missing`;
  const expected = chainHash(position.hash, body);
  if (!sameBytes(expected, hash)) return `row ${seq} was changed, or does not follow from the row before`;
  if (head.state === "valid" && head.position.seq === seq && !sameBytes(head.position.hash, hash)) {
    return `row ${seq} is not the one that was signed as the end of the chain`;
  }
  const segment = ends.get(seq);
  if (segment !== undefined) {
    if (!sameBytes(segment.lastHash, hash))
      return `row ${seq} is not the one that segment ${segment.id} ends with`;
    walk.checkedSegments++;
  }
  walk.position = { seq, hash };
  walk.records++;
  walk.fromSeq ??= seq;
  walk.toSeq = seq;
  return null;
}

function rows(first: number, last: number): string {
  return first === last ? `row ${first} is` : `rows ${first} to ${last} are`;
}
