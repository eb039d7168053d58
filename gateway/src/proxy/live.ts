// What is open right now: tunnels and exchanges. A policy change walks over them and closes what lost its right;
// a stop drains them.
import { limits } from "../limits.ts";
import type { Snapshot } from "../policy/contract.ts";
import type { Tunnel } from "./plane.ts";
import { type Enlisted, Roster } from "./roster.ts";

/** An exchange as seen from outside: can be told that its right is gone. */
export interface LiveExchange extends Enlisted {
  readonly agentId: string;
  readonly tokenHash: string;
  /** false = under this snapshot the exchange would not be permitted, or not with these credentials */
  isPermitted(snapshot: Snapshot, now: number): boolean;
  end(reason: "revoked" | "stopped"): void;
}

export interface LiveConnections {
  readonly tunnels: Set<Tunnel>;
  readonly exchanges: Roster<LiveExchange>;
  /** request bodies in memory that are not whole yet */
  bodiesHeld: number;
  mayOpenTunnel(agentId: string): boolean;
  mayOpenExchange(agentId: string): boolean;
  addTunnel(tunnel: Tunnel): void;
  removeTunnel(tunnel: Tunnel): void;
  addExchange(exchange: LiveExchange): void;
  removeExchange(exchange: LiveExchange): void;
  /** Closes what the snapshot no longer permits, and what expired. */
  enforce(snapshot: Snapshot, now: number): void;
}

export function createLiveConnections(): LiveConnections {
  const tunnels = new Set<Tunnel>();
  const exchanges = new Roster<LiveExchange>();
  const tunnelsOf = new Map<string, Count>();
  const exchangesOf = new Map<string, Count>();
  return {
    tunnels,
    exchanges,
    bodiesHeld: 0,
    mayOpenTunnel: (agentId) =>
      tunnels.size < limits.tunnelsMax && (tunnelsOf.get(agentId)?.open ?? 0) < limits.tunnelsPerAgentMax,
    mayOpenExchange: (agentId) =>
      exchanges.size < limits.exchangesMax &&
      (exchangesOf.get(agentId)?.open ?? 0) < limits.exchangesPerAgentMax,
    addTunnel(tunnel) {
      tunnels.add(tunnel);
      count(tunnelsOf, tunnel.identity.agent.id, 1);
    },
    removeTunnel(tunnel) {
      if (tunnels.delete(tunnel)) count(tunnelsOf, tunnel.identity.agent.id, -1);
    },
    addExchange(exchange) {
      exchanges.add(exchange);
      count(exchangesOf, exchange.agentId, 1);
    },
    removeExchange(exchange) {
      if (exchanges.remove(exchange)) count(exchangesOf, exchange.agentId, -1);
    },
    enforce(snapshot, now) {
      for (const exchange of exchanges) if (!exchange.isPermitted(snapshot, now)) exchange.end("revoked");
      for (const tunnel of tunnels) enforceTunnel(tunnel, snapshot, now);
      for (const counts of [tunnelsOf, exchangesOf]) forgetIdle(counts);
    },
  };
}

function enforceTunnel(tunnel: Tunnel, snapshot: Snapshot, now: number): void {
  const identity = snapshot.identify(tunnel.tokenHash);
  if (identity === undefined || isExpired(identity.token.expiresAt, now)) tunnel.socket.destroy();
  else tunnel.identity = identity;
}

export function isExpired(expiresAt: number | null, now: number): boolean {
  return expiresAt !== null && expiresAt <= now;
}

/** Kept at zero too: an entry that comes and goes with every request would churn the map. */
interface Count {
  open: number;
}

function count(counts: Map<string, Count>, key: string, step: 1 | -1): void {
  const known = counts.get(key);
  if (known === undefined) counts.set(key, { open: step });
  else known.open += step;
}

function forgetIdle(counts: Map<string, Count>): void {
  for (const [key, { open }] of counts) if (open === 0) counts.delete(key);
}
