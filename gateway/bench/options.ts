// Command line → how much is measured. More of it makes the figures steadier, not different.
import { parseArgs } from "node:util";
import type { LatencyRounds } from "./latency.ts";
import type { Rounds } from "./interleave.ts";

export interface Options {
  readonly mode: "quick" | "default" | "long";
  readonly json: boolean;
  /** folder for a CPU profile of the gateway; null = none */
  readonly profile: string | null;
  readonly requests: Rounds & { readonly sliceMs: number };
  readonly connections: Rounds & { readonly count: number };
  readonly latency: LatencyRounds;
  readonly readyStarts: number;
  /** requests after which memory is read, ascending */
  readonly memoryAfter: readonly number[];
}

const AMOUNTS = {
  quick: {
    requests: { rounds: 8, warm: 4_000, sliceMs: 300 },
    connections: { rounds: 4, warm: 200, count: 50 },
    latency: { rounds: 3, sliceMs: 100 },
    readyStarts: 4,
    memoryAfter: [10_000],
  },
  default: {
    requests: { rounds: 30, warm: 20_000, sliceMs: 500 },
    connections: { rounds: 12, warm: 1_000, count: 100 },
    latency: { rounds: 8, sliceMs: 200 },
    readyStarts: 10,
    memoryAfter: [100_000],
  },
  long: {
    requests: { rounds: 60, warm: 50_000, sliceMs: 1_000 },
    connections: { rounds: 30, warm: 1_000, count: 150 },
    latency: { rounds: 16, sliceMs: 500 },
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
    },
  });
  const mode = values.quick === true ? "quick" : values.long === true ? "long" : "default";
  return { mode, json: values.json === true, profile: values.profile ?? null, ...AMOUNTS[mode] };
}
