// CPU a request: 32 keep-alive connections, TLS on both legs, small JSON, GET and POST in turn.
import type { Bed } from "./bed.ts";
import { interleave, type Rounds, type Samples } from "./interleave.ts";
import type { LoadRequest, LoadResult } from "./load.ts";

export const CONNECTIONS = 32;

export interface RequestFigures {
  /** µs of CPU a request */
  readonly cpu: Samples;
  /** requests a second while it was a target's turn */
  readonly rates: Samples;
}

export async function measureRequests(
  { load, targets }: Bed,
  options: Rounds & { readonly sliceMs: number },
): Promise<RequestFigures> {
  const rates: Samples = { gateway: [], bare: [], mitm: [] };
  const cpu = await interleave(targets, options, async ({ name, route }) => {
    const work: LoadRequest = { route, connections: CONNECTIONS, ms: options.sliceMs };
    await load.ask("open", work);
    const { requests, ms } = await load.ask<LoadResult>("run", work);
    rates[name].push((requests / ms) * 1_000);
    return requests;
  });
  return { cpu, rates };
}
