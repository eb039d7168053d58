// Round robin over the targets in short slices, so that whatever else the machine does hits all of them alike.
import { setTimeout } from "node:timers/promises";
import type { TargetName } from "./bed.ts";
import type { Child } from "./child.ts";
import type { Route } from "./connection.ts";
import type { Usage } from "./probe.js";

const SETTLE_MS = 500;

/** µs of CPU an item, one figure a round */
export type SamplesOf<Name extends string> = Readonly<Record<Name, number[]>>;
export type Samples = SamplesOf<TargetName>;

/** A way to the origin. Several may lead through one process. */
export interface Way<Name extends string> {
  readonly name: Name;
  /** whose CPU is counted */
  readonly child: Child;
  readonly route: Route;
}

export interface Rounds {
  readonly rounds: number;
  /** items that each target does before those, not counted: compilers, caches and pools get warm */
  readonly warm: number;
}

/**
 * `slice` works on one way and says how many items it did. A slice's cost is what the process uses until its next turn
 * starts, so that what it puts off (checkpoints, collection, closing) is counted.
 */
export async function interleave<Name extends string>(
  ways: readonly Way<Name>[],
  { rounds, warm }: Rounds,
  slice: (way: Way<Name>) => Promise<number>,
): Promise<SamplesOf<Name>> {
  const samples = samplesFor(ways);
  const last = new Map<Child, { readonly name: Name; readonly cpuUs: number; readonly items: number }>();
  const settle = async (child: Child): Promise<number> => {
    const { cpuUs } = await child.ask<Usage>("usage");
    const before = last.get(child);
    if (before !== undefined) samples[before.name].push((cpuUs - before.cpuUs) / before.items);
    return cpuUs;
  };
  for (const way of ways) {
    for (let items = 0; items < warm;) items += await slice(way);
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const way of rotated(ways, round)) {
      const cpuUs = await settle(way.child);
      last.set(way.child, { name: way.name, cpuUs, items: await slice(way) });
    }
  }
  await setTimeout(SETTLE_MS);
  for (const child of last.keys()) await settle(child);
  return samples;
}

export function samplesFor<Name extends string>(ways: readonly Way<Name>[]): SamplesOf<Name> {
  return Object.fromEntries(ways.map(({ name }) => [name, []])) as unknown as SamplesOf<Name>;
}

/** Nobody is always first. */
export function rotated<T>(list: readonly T[], by: number): T[] {
  const start = by % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}
