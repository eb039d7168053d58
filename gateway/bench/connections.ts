// CPU a new connection: CONNECT, TLS handshake, one request, close.
import type { Bed, TargetName } from "./bed.ts";
import { interleave, type Rounds, type Samples } from "./interleave.ts";
import type { ConnectRequest, ConnectResult } from "./load.ts";

const CONCURRENCY = 4;

export interface ConnectionFigures {
  /** µs of CPU a connection */
  readonly cpu: Samples;
  /** share of handshakes that resumed a session */
  readonly resumed: Readonly<Record<TargetName, number>>;
}

export async function measureConnections(
  { load, targets }: Bed,
  options: Rounds & { readonly count: number },
  resume: boolean,
): Promise<ConnectionFigures> {
  const made = { gateway: 0, bare: 0, mitm: 0 };
  const resumed = { gateway: 0, bare: 0, mitm: 0 };
  const cpu = await interleave(targets, options, async ({ name, route }) => {
    const work: ConnectRequest = { route, count: options.count, concurrency: CONCURRENCY, resume };
    const result = await load.ask<ConnectResult>("connect", work);
    made[name] += result.count;
    resumed[name] += result.resumed;
    return result.count;
  });
  const share = (name: TargetName): number => resumed[name] / made[name];
  return { cpu, resumed: { gateway: share("gateway"), bare: share("bare"), mitm: share("mitm") } };
}
