// Command line → how much is measured. More of it makes the figures steadier, not different.
import { parseArgs } from "node:util";
import type { BulkRounds } from "./bulk.ts";
import type { LatencyRounds } from "./latency.ts";
import type { Rounds } from "./interleave.ts";

export interface Options {
  readonly mode: "quick" | "default" | "long";
  readonly json: boolean;
  /** folder for a CPU profile of the gateway; null = none */
  readonly profile: string | null;
  /** measure this section only; null = all */
  readonly only: "bulk" | null;
  readonly requests: Rounds & { readonly sliceMs: number };
  readonly connections: Rounds & { readonly count: number };
  readonly latency: LatencyRounds;
  readonly bulk: BulkRounds;
  readonly readyStarts: number;
  /** requests after which memory is read, ascending */
  readonly memoryAfter: readonly number[];
}

const AMOUNTS = {
  quick: {
    requests: { rounds: 6, warm: 2_000, sliceMs: 250 },
    connections: { rounds: 3, warm: 60, count: 30 },
    latency: { rounds: 2, sliceMs: 100 },
    bulk: {
      bodies: { rounds: 4, warm: 32 },
      requests: { rounds: 6, warm: 1_000, sliceMs: 250 },
      events: { rounds: 2, count: 5 },
    },
    readyStarts: 3,
    memoryAfter: [5_000],
  },
  default: {
    requests: { rounds: 24, warm: 30_000, sliceMs: 500 },
    connections: { rounds: 12, warm: 300, count: 80 },
    latency: { rounds: 6, sliceMs: 200 },
    bulk: {
      bodies: { rounds: 12, warm: 96 },
      requests: { rounds: 24, warm: 20_000, sliceMs: 500 },
      events: { rounds: 6, count: 10 },
    },
    readyStarts: 10,
    memoryAfter: [100_000],
  },
  long: {
    requests: { rounds: 60, warm: 100_000, sliceMs: 1_000 },
    connections: { rounds: 30, warm: 1_000, count: 150 },
    latency: { rounds: 16, sliceMs: 500 },
    bulk: {
      bodies: { rounds: 30, warm: 320 },
      requests: { rounds: 60, warm: 50_000, sliceMs: 1_000 },
      events: { rounds: 16, count: 20 },
    },
    readyStarts: 20,
    memoryAfter: [100_000, 1_000_000],
  },
} as const;

/** @throws TypeError on an unknown flag */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean" },
      long: { type: "boolean" },
      json: { type: "boolean" },
      profile: { type: "string" },
      only: { type: "string" },
    },
  });
  const { json = false, profile = null, only = null } = values;
  if (only !== null && only !== "bulk") throw new TypeError(`--only ${only}: there is "bulk"`);
  const mode = values.quick === true ? "quick" : values.long === true ? "long" : "default";
  return { mode, json, profile, only, ...AMOUNTS[mode] };
}
