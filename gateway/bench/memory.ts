// Resident memory of a fresh gateway after so many requests.
import { setTimeout } from "node:timers/promises";
import { type Bed, gatewayTarget } from "./bed.ts";
import { RATE_LIMIT_PER_MINUTE, startGateway } from "./gateway.ts";
import type { LoadRequest, LoadResult } from "./load.ts";
import type { Usage } from "./probe.js";
import { CONNECTIONS } from "./requests.ts";

const CHUNK = 10_000;
/** keeps the highest rate below what the bed's own limit rule allows */
const CHUNK_MS_MIN = (CHUNK / RATE_LIMIT_PER_MINUTE) * 60_000 * 1.05;

export interface MemoryFigure {
  readonly requests: number;
  /** bytes */
  readonly rss: number;
}

/** @returns before any request, then after each of `counts` */
export async function measureMemory(bed: Bed, counts: readonly number[]): Promise<MemoryFigure[]> {
  const gateway = await startGateway(bed.gatewayStart("memory"));
  const { child, route } = gatewayTarget(gateway, bed.direct.authority);
  const rss = async (): Promise<number> => (await child.ask<Usage>("usage")).rss;
  const figures: MemoryFigure[] = [{ requests: 0, rss: await rss() }];
  let sent = 0;
  for (const count of counts) {
    while (sent < count) {
      const work: LoadRequest = { route, connections: CONNECTIONS, requests: Math.min(CHUNK, count - sent) };
      await bed.load.ask("open", work);
      const { requests, ms } = await bed.load.ask<LoadResult>("run", work);
      sent += requests;
      if (ms < CHUNK_MS_MIN) await setTimeout(CHUNK_MS_MIN - ms);
    }
    figures.push({ requests: sent, rss: await rss() });
  }
  await child.stop();
  return figures;
}
