// What happens beside the requests: regular work while the gateway runs, and its orderly end.
import { setTimeout as sleep } from "node:timers/promises";
import { startRetention } from "../audit/retention.ts";
import { limits } from "../limits.ts";
import type { Listening } from "../proxy/listener.ts";
import type { DataPlane } from "../proxy/plane.ts";
import type { DataPlaneComposition } from "./data-plane.ts";

const DAY_MS = 86_400_000;
const EXPIRY_LOOK_MS = 1_000;
const DRAIN_LOOK_MS = 20;

export interface RegularWork extends Omit<DataPlaneComposition, "wayOut" | "configuration"> {
  readonly plane: DataPlane;
  readonly changed: () => void;
}

export function startRegularWork({ config, log, clock, plane, keeping, changed }: RegularWork): {
  stop(): void;
} {
  const pools = setInterval(() => plane.pools.sweep(), limits.originPoolIdleMs / 2).unref();
  // Expiry takes effect on the second, on what is open too.
  const expiry = setInterval(() => {
    const { tokens, secrets } = keeping.store;
    const expired = tokens.deleteExpired(clock());
    const issued = secrets.deleteExpired(clock() - limits.issuedTokenKeptMs);
    if (expired + issued > 0) changed();
  }, EXPIRY_LOOK_MS).unref();
  const { auditRetentionDays } = config;
  const retention =
    auditRetentionDays === null
      ? null
      : startRetention({
          audit: keeping.audit,
          olderThanMs: auditRetentionDays * DAY_MS,
          log: (message) => log.error(message),
        });
  return {
    stop() {
      clearInterval(pools);
      clearInterval(expiry);
      retention?.stop();
    },
  };
}

/** New exchanges are refused, running ones may end; what is left after the time-out is cut. */
export async function drain(plane: DataPlane, listening: Listening, closeApi: () => void): Promise<void> {
  plane.stopping = true;
  closeApi();
  await listening.close();
  for (const tunnel of plane.live.tunnels) if (tunnel.protocol === null) tunnel.socket.destroy();
  const until = plane.clock() + limits.drainTimeoutMs;
  while (plane.live.exchanges.size > 0 && plane.clock() < until) await sleep(DRAIN_LOOK_MS);
  for (const exchange of plane.live.exchanges) exchange.end("stopped");
  for (const tunnel of plane.live.tunnels) tunnel.socket.destroy();
  await plane.pools.close();
  plane.inner.close();
}
