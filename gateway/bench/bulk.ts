// Large bodies, and what the search for placed values costs: the gateway with a credential at the name, and without.
import type { Bed, TargetName } from "./bed.ts";
import { interleave, type Rounds, rotated, type SamplesOf, samplesFor, type Way } from "./interleave.ts";
import type { EventsRequest, LoadRequest, LoadResult } from "./load.ts";
import { BULK_BYTES, BULK_PATH } from "./paths.ts";
import { CONNECTIONS } from "./requests.ts";

/** `gateway` = with a credential, its answers are searched; `open` = the gateway without one */
export type WayName = TargetName | "open" | "direct";

export interface BulkRounds {
  /** warm: MB */
  readonly bodies: Rounds;
  readonly requests: Rounds & { readonly sliceMs: number };
  readonly events: { readonly rounds: number; readonly count: number };
}

export interface BulkFigures {
  /** MB/s of one body on one connection, one figure a round */
  readonly rates: SamplesOf<WayName>;
  /** µs of CPU a MB */
  readonly cpu: SamplesOf<WayName>;
  /** µs of CPU a request, small JSON that holds nothing to rewrite */
  readonly requests: SamplesOf<"gateway" | "open">;
  /** ms until the first event of a stream */
  readonly firstEvent: SamplesOf<"direct" | "open" | "gateway">;
}

const BODY_MB = BULK_BYTES / 1024 / 1024;

export async function measureBulk(bed: Bed, options: BulkRounds): Promise<BulkFigures> {
  const { rates, cpu } = await measureBodies(bed, options.bodies);
  const requests = await measureSmall(bed, options.requests);
  return { rates, cpu, requests, firstEvent: await measureEvents(bed, options.events) };
}

async function measureBodies(bed: Bed, rounds: Rounds): Promise<Pick<BulkFigures, "rates" | "cpu">> {
  const { direct, open, gateway, bare, mitm } = waysOf(bed);
  // The gateway's two ways are not neighbours: what one puts off is not to be counted as the other's.
  const ways = [direct, open, bare, gateway, mitm];
  const rates = samplesFor(ways);
  const cpu = await interleave(ways, rounds, async ({ name, route }) => {
    const work: LoadRequest = { route, connections: 1, requests: 1, path: BULK_PATH };
    await bed.load.ask("open", work);
    const { ms } = await bed.load.ask<LoadResult>("run", work);
    rates[name].push((BODY_MB / ms) * 1_000);
    return BODY_MB;
  });
  // Warming up came first.
  for (const name of Object.keys(rates) as WayName[])
    rates[name].splice(0, rates[name].length - rounds.rounds);
  return { rates, cpu };
}

function measureSmall(bed: Bed, options: BulkRounds["requests"]): Promise<BulkFigures["requests"]> {
  const { open, gateway } = waysOf(bed);
  return interleave([gateway, open], options, async ({ route }) => {
    const work: LoadRequest = { route, connections: CONNECTIONS, ms: options.sliceMs };
    await bed.load.ask("open", work);
    return (await bed.load.ask<LoadResult>("run", work)).requests;
  });
}

async function measureEvents(
  bed: Bed,
  { rounds, count }: BulkRounds["events"],
): Promise<BulkFigures["firstEvent"]> {
  const { direct, open, gateway } = waysOf(bed);
  const ways = [direct, open, gateway];
  const found = samplesFor(ways);
  for (let round = 0; round < rounds; round += 1) {
    for (const { name, route } of rotated(ways, round)) {
      const work: EventsRequest = { route, count };
      found[name].push(...(await bed.load.ask<number[]>("firstEvents", work)));
    }
  }
  return found;
}

function waysOf({ targets, open, direct, origin }: Bed) {
  const target = <Name extends TargetName>(name: Name): Way<Name> => {
    const found = targets.find((each) => each.name === name);
    if (found === undefined) throw new Error(`no target ${name}`);
    return { ...found, name };
  };
  const gateway = target("gateway");
  return {
    gateway,
    bare: target("bare"),
    mitm: target("mitm"),
    open: { name: "open", child: gateway.child, route: open } as const,
    direct: { name: "direct", child: origin, route: direct } as const,
  };
}
