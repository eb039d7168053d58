// Round robin over the targets in short slices, so that whatever else the machine does hits all of them alike.
import { setTimeout } from "node:timers/promises";
import type { Target, TargetName } from "./bed.ts";
import type { Usage } from "./probe.js";

const SETTLE_MS = 500;

/** µs of CPU an item, one figure a round */
export type Samples = Readonly<Record<TargetName, number[]>>;

export interface Rounds {
  readonly rounds: number;
  /** items that each target does before those, not counted: compilers, caches and pools get warm */
  readonly warm: number;
}

/**
 * `slice` works on one target and says how many items it did. A slice's cost is what the process uses until its next turn
 * starts, so that what it puts off (checkpoints, collection, closing) is counted.
 */
export async function interleave(
  targets: readonly Target[],
  { rounds, warm }: Rounds,
  slice: (target: Target) => Promise<number>,
): Promise<Samples> {
  const samples: Samples = { gateway: [], bare: [], mitm: [] };
  const last = new Map<TargetName, { readonly cpuUs: number; readonly items: number }>();
  const settle = async (target: Target): Promise<number> => {
    const { cpuUs } = await target.child.ask<Usage>("usage");
    const before = last.get(target.name);
    if (before !== undefined) samples[target.name].push((cpuUs - before.cpuUs) / before.items);
    return cpuUs;
  };
  for (const target of targets) {
    for (let items = 0; items < warm;) items += await slice(target);
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const target of rotated(targets, round)) {
      const cpuUs = await settle(target);
      last.set(target.name, { cpuUs, items: await slice(target) });
    }
  }
  await setTimeout(SETTLE_MS);
  for (const target of targets) await settle(target);
  return samples;
}

/** Nobody is always first. */
function rotated<T>(list: readonly T[], by: number): T[] {
  const start = by % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}
