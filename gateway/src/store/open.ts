// Opens the database of a gateway: lock, look, migrate, check, and only then hand it out.
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import path from "node:path";
import Database from "better-sqlite3";
import { limits } from "../limits.ts";
import { createAgentStore } from "./agents.ts";
import { createApiKeyStore } from "./api-keys.ts";
import { createAuthorityStore } from "./authority.ts";
import { checkpoint, startCheckpoints } from "./checkpoint.ts";
import { type Connection, createConnection, openDatabase, type SyncMode } from "./connection.ts";
import { StoreError } from "./error.ts";
import { checkDatabaseFiles, createPrivateFile, ensurePrivateDirectory } from "./files.ts";
import { inspectDatabaseFile, wasKilled } from "./inspect.ts";
import { createKeyStore } from "./keys.ts";
import { acquireLock, type Lock } from "./lock.ts";
import { createMetaStore } from "./meta.ts";
import { migrate, type Migrations, released } from "./migrate.ts";
import { createRuleStore } from "./rules.ts";
import { createSealedColumnStore } from "./sealed.ts";
import { createSecretStore } from "./secrets.ts";
import type { Store } from "./store.ts";
import { createTokenStore } from "./tokens.ts";

export interface StoreOptions {
  /** the database is `gateway.db` in it */
  readonly dataDir: string;
  /** ONECLI_AUDIT_SYNC */
  readonly auditSync?: SyncMode;
  readonly migrations?: Migrations;
}

const connections = new WeakMap<Store, Connection>();

/** The connection behind a store: for audit/, whose group commit shares it. */
export function connectionOf(store: Store): Connection {
  const connection = connections.get(store);
  if (connection === undefined) throw new StoreError("transaction", "this store is closed");
  return connection;
}

export async function openStore(options: StoreOptions): Promise<Store> {
  const file = path.join(path.resolve(options.dataDir), "gateway.db");
  ensurePrivateDirectory(path.dirname(file));
  const lock = acquireLock(path.join(path.dirname(file), "gateway.lock"));
  try {
    return assemble(await openLocked(file, options), lock);
  } catch (error) {
    lock.release();
    throw explain(file, error);
  }
}

async function openLocked(file: string, options: StoreOptions): Promise<Database.Database> {
  const { auditSync = "normal", migrations = released } = options;
  if (!existsSync(file)) await createDatabase(file, migrations);
  checkDatabaseFiles(file);
  inspectDatabaseFile(file, Object.keys(migrations).length);
  const killed = wasKilled(file);
  const db = openDatabase(file, auditSync);
  try {
    if (killed) quickCheck(db);
    await migrate(db, migrations);
  } catch (error) {
    db.close();
    throw error;
  }
  return db;
}

/** Made under another name: a file called gateway.db is complete, so an empty one is damage and not a new start. */
async function createDatabase(file: string, migrations: Migrations): Promise<void> {
  if (wasKilled(file)) throw lostDatabase(file);
  const draft = `${file}.new`;
  for (const name of [draft, `${draft}-wal`, `${draft}-shm`]) rmSync(name, { force: true });
  createPrivateFile(draft);
  const db = openDatabase(draft, "full");
  try {
    await migrate(db, migrations);
  } finally {
    db.close();
  }
  renameSync(draft, file);
  syncDirectory(path.dirname(file));
}

function syncDirectory(directory: string): void {
  if (process.platform === "win32") return;
  const descriptor = openSync(directory, "r");
  fsyncSync(descriptor);
  closeSync(descriptor);
}

/** The audit's own chain covers its table, so that a start after a kill stays short when there are many rows. */
function quickCheck(db: Database.Database): void {
  const large = statSync(db.name).size > limits.storeQuickCheckBytesMax;
  const tables = db
    .prepare<[], string>("SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'audit_records'")
    .pluck()
    .all();
  const checks = large ? tables.map((table) => `quick_check('${table}')`) : ["quick_check"];
  for (const check of checks) {
    if (db.pragma(check, { simple: true }) !== "ok") throw corrupt(db.name);
  }
}

function assemble(db: Database.Database, lock: Lock): Store {
  const connection = createConnection(db);
  const checkpoints = startCheckpoints(connection);
  const store: Store = {
    transaction: (work) => connection.transactions.run(work),
    meta: createMetaStore(connection),
    keys: createKeyStore(connection),
    authority: createAuthorityStore(connection),
    apiKeys: createApiKeyStore(connection),
    agents: createAgentStore(connection),
    tokens: createTokenStore(connection),
    secrets: createSecretStore(connection),
    rules: createRuleStore(connection),
    sealed: createSealedColumnStore(connection),
    close: () => {
      if (!connections.delete(store)) return;
      checkpoints.stop();
      connection.forget();
      checkpoint(connection);
      db.close();
      lock.release();
    },
  };
  connections.set(store, connection);
  return store;
}

function explain(file: string, error: unknown): unknown {
  if (!(error instanceof Database.SqliteError)) return error;
  if (error.code.startsWith("SQLITE_CORRUPT") || error.code === "SQLITE_NOTADB") return corrupt(file, error);
  return error;
}

function corrupt(file: string, cause?: unknown): StoreError {
  return new StoreError(
    "corrupt",
    `${file} is damaged (SQLite can't read it): nothing was changed, restore it from a backup`,
    { cause },
  );
}

function lostDatabase(file: string): StoreError {
  return new StoreError(
    "corrupt",
    `${file} is missing, but its log ${file}-wal is there: put the database back, or move the log away to start anew`,
  );
}
