// Moves the write-ahead log into the database file between requests, on a timer.
import type { Database } from "better-sqlite3";
import { limits } from "../limits.ts";
import type { Connection } from "./connection.ts";

export function startCheckpoints(connection: Connection): { stop(): void } {
  const timer = setInterval(() => checkpoint(connection), limits.storeCheckpointIntervalMs);
  timer.unref();
  return {
    stop: () => clearInterval(timer),
  };
}

export function checkpoint(connection: Connection): void {
  if (connection.db.inTransaction) return;
  const forget = connection.takeForgetRequest();
  // TRUNCATE cuts the log, where deleted ciphertext would stand until it is overwritten; a reader can prevent it.
  const done = runCheckpoint(connection.db, forget ? "TRUNCATE" : "PASSIVE");
  if (forget && !done) connection.forget();
}

/** Never waits: another process that reads must not hold up the event loop. */
function runCheckpoint(db: Database, mode: "PASSIVE" | "TRUNCATE"): boolean {
  const timeout = db.pragma("busy_timeout", { simple: true }) as number;
  db.pragma("busy_timeout = 0");
  try {
    const [result] = db.pragma(`wal_checkpoint(${mode})`) as { busy: number }[];
    return result?.busy === 0;
  } catch {
    // Disk full, say: the log keeps everything, and the next commit tells whoever waits for it.
    return false;
  } finally {
    db.pragma(`busy_timeout = ${timeout}`);
  }
}
