// Connections to origins: one undici pool per agent, scheme and authority, so that no answer on a connection that one
// agent used can reach another. Bounded, the least recently used goes first; idle ones are closed.
import type { Socket } from "node:net";
import type { buildConnector } from "undici";
import Pool from "undici/lib/dispatcher/pool.js";
import { limits } from "../limits.ts";
import type { Clock } from "../model.ts";
import { formatAuthority } from "../target/authority.ts";
import type { Authority } from "../target/contract.ts";
import type { Dialer } from "./contract.ts";

export interface OriginPools {
  get(agentId: string, secure: boolean, authority: Authority): Pool;
  /** Ends what the agent has open and idle. */
  closeAgent(agentId: string): void;
  sweep(): void;
  readonly size: number;
  close(): Promise<void>;
}

interface Entry {
  readonly pool: Pool;
  readonly agentId: string;
  usedAt: number;
}

export function createOriginPools(dialer: Dialer, clock: Clock): OriginPools {
  const entries = new Map<string, Entry>();
  const drop = (key: string, entry: Entry): void => {
    entries.delete(key);
    // Lets running exchanges end, then closes the connections.
    void entry.pool.close().catch(() => undefined);
  };
  return {
    get(agentId, secure, authority) {
      const key = `${agentId}|${secure ? "s" : "p"}|${authority.host}|${authority.port}`;
      const found = entries.get(key);
      if (found !== undefined) {
        found.usedAt = clock();
        return found.pool;
      }
      if (entries.size >= limits.originPoolsMax) evictOldest(entries, drop);
      const entry = { pool: openPool(dialer, secure, authority), agentId, usedAt: clock() };
      entries.set(key, entry);
      return entry.pool;
    },
    closeAgent(agentId) {
      for (const [key, entry] of entries) if (entry.agentId === agentId) drop(key, entry);
    },
    sweep() {
      const before = clock() - limits.originPoolIdleMs;
      for (const [key, entry] of entries) {
        const { running, pending } = entry.pool.stats;
        if (entry.usedAt < before && running === 0 && pending === 0) drop(key, entry);
      }
    },
    get size() {
      return entries.size;
    },
    async close() {
      await Promise.all([...entries.values()].map(({ pool }) => pool.destroy().catch(() => undefined)));
      entries.clear();
    },
  };
}

function evictOldest(entries: Map<string, Entry>, drop: (key: string, entry: Entry) => void): void {
  let oldest: [string, Entry] | undefined;
  for (const item of entries) if (oldest === undefined || item[1].usedAt < oldest[1].usedAt) oldest = item;
  if (oldest !== undefined) drop(...oldest);
}

function openPool(dialer: Dialer, secure: boolean, authority: Authority): Pool {
  const origin = `${secure ? "https" : "http"}://${formatAuthority(authority, secure ? 443 : 80)}`;
  return new Pool(origin, {
    connections: limits.originConnectionsPerPoolMax,
    pipelining: 1,
    // The HTTP/2 leg is not undici's: it folds duplicate fields and shows a reset stream as a normal end.
    allowH2: false,
    headersTimeout: limits.originHeadersTimeoutMs,
    bodyTimeout: limits.originBodyIdleTimeoutMs,
    maxHeaderSize: limits.originHeaderBytesMax,
    keepAliveTimeout: limits.originKeepAliveMs,
    keepAliveMaxTimeout: limits.originKeepAliveMs,
    strictContentLength: true,
    connect: (_options, callback) => void connect({ dialer, secure, authority }, callback),
  });
}

async function connect(
  { dialer, secure, authority }: { dialer: Dialer; secure: boolean; authority: Authority },
  callback: buildConnector.Callback,
): Promise<void> {
  let socket: Socket;
  try {
    socket = await dialer.dial({ authority, secure });
  } catch (error) {
    callback(error instanceof Error ? error : new Error("dial failed"), null);
    return;
  }
  socket.prependListener("error", (error) => asSocketError(socket, error));
  callback(null, socket);
}

const RESETS: ReadonlySet<unknown> = new Set(["ECONNRESET", "EPIPE"]);

/**
 * To undici a reset is the end of a body without length, and on an idle connection it fails the request that waits for
 * it. Its own error for a connection that was closed does neither, and tells how much was read before.
 */
function asSocketError({ bytesRead }: Socket, error: NodeJS.ErrnoException): void {
  if (RESETS.has(error.code)) Object.assign(error, { code: "UND_ERR_SOCKET", socket: { bytesRead } });
}
