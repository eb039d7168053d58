// Latency, as a courtesy: closed loop on a machine that also runs the load generator and the origin. At 32 connections it
// is mostly waiting for a turn on the CPU.
import type { Bed, TargetName } from "./bed.ts";
import type { Route } from "./connection.ts";
import type { LoadRequest, LoadResult } from "./load.ts";
import { percentile } from "./statistics.ts";

export interface LatencyRounds {
  readonly rounds: number;
  readonly sliceMs: number;
}

export interface Latency {
  readonly connections: number;
  /** ms; `direct` = without a proxy */
  readonly p50: Readonly<Record<TargetName | "direct", number>>;
  readonly p99: Readonly<Record<TargetName | "direct", number>>;
}

export async function measureLatency(
  bed: Bed,
  { rounds, sliceMs }: LatencyRounds,
  connections: number,
): Promise<Latency> {
  const ways: readonly { name: TargetName | "direct"; route: Route }[] = [
    { name: "direct", route: bed.direct },
    ...bed.targets,
  ];
  const found: Record<TargetName | "direct", number[]> = { direct: [], gateway: [], bare: [], mitm: [] };
  for (let round = 0; round < rounds; round += 1) {
    for (const { name, route } of ways) {
      const work: LoadRequest = { route, connections, ms: sliceMs, latencies: true };
      await bed.load.ask("open", work);
      const { latencies } = await bed.load.ask<LoadResult>("run", work);
      for (const latency of latencies) found[name].push(latency);
    }
  }
  const at = (share: number) => ({
    direct: percentile(found.direct, share),
    gateway: percentile(found.gateway, share),
    bare: percentile(found.bare, share),
    mitm: percentile(found.mitm, share),
  });
  return { connections, p50: at(0.5), p99: at(0.99) };
}
