// What an attacker who can write the database can't make: HMACs over the ends of the chain and of its segments. The
// hashes of the rows need no key, so without these the whole chain could be written anew.
import { createHmac, timingSafeEqual } from "node:crypto";

/** A place in the chain: the row and its hash. */
export interface Position {
  readonly seq: number;
  readonly hash: Buffer;
}

export interface Segment {
  readonly id: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly lastHash: Buffer;
  /** `ms` since the epoch */
  readonly closedAt: number;
  /** null = its rows are there */
  readonly retiredAt: number | null;
}

export interface Signer {
  segment(segment: Segment): Buffer;
  head(position: Position): Buffer;
}

/** Before the first row. */
export const genesis: Position = { seq: 0, hash: Buffer.alloc(32) };

export function createSigner(key: Buffer): Signer {
  const sign = (...parts: (string | number | null)[]) =>
    createHmac("sha256", key).update(JSON.stringify(parts)).digest();
  return {
    segment: ({ id, firstSeq, lastSeq, lastHash, closedAt, retiredAt }) =>
      sign("segment", id, firstSeq, lastSeq, lastHash.toString("hex"), closedAt, retiredAt),
    head: ({ seq, hash }) => sign("head", seq, hash.toString("hex")),
  };
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
