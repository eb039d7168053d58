// Rows that wait for this event-loop turn's transaction.
import type { Opening, OpenResult } from "./contract.ts";
import type { Tail } from "./record.ts";

export interface Entry {
  readonly tail: Tail;
  /** set for an opening: it is counted against its limits, and its caller waits */
  readonly opening: Opening | null;
  readonly done: ((result: OpenResult) => void) | null;
  result: OpenResult;
}

export const committed: OpenResult = { ok: true };
export const unavailable: OpenResult = { ok: false, code: "audit_unavailable" };

export function waiting(tail: Tail, opening: Opening, done: (result: OpenResult) => void): Entry {
  return { tail, opening, done, result: committed };
}

export function unattended(tail: Tail): Entry {
  return { tail, opening: null, done: null, result: committed };
}
