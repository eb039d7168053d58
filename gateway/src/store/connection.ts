// The one connection: its settings, and how a built query becomes a prepared statement that runs synchronously.
import Database from "better-sqlite3";
import {
  type Compilable,
  DummyDriver,
  Kysely,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";
import { StoreError } from "./error.ts";
import type { Database as Schema } from "./schema.ts";
import { createTransactions, type Transactions } from "./transaction.ts";

/** `normal` survives kill -9; `full` a power cut too, at about twice the cost of a commit */
export type SyncMode = "normal" | "full";

export interface Connection {
  readonly db: Database.Database;
  readonly transactions: Transactions;
  all<Row>(query: Compilable<Row>): Row[];
  first<Row>(query: Compilable<Row>): Row | undefined;
  /** number of rows changed */
  run(query: Compilable): number;
  /** The next checkpoint also cuts the log, where the deleted ciphertext still stands. */
  forget(): void;
  takeForgetRequest(): boolean;
}

const BUSY_TIMEOUT_MS = 5000;
const CACHE_KIBIBYTES = 2048;
const WAL_FILE_BYTES_KEPT = 64 * 1024 * 1024;
const STATEMENTS_MAX = 500;

/** Builds SQL only; its driver does nothing. */
export const sql = new Kysely<Schema>({
  dialect: {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  },
});

export function openDatabase(file: string, sync: SyncMode): Database.Database {
  const db = new Database(file, { timeout: BUSY_TIMEOUT_MS });
  try {
    db.pragma("journal_mode = WAL");
    configure(db, sync);
  } catch (error) {
    db.close();
    throw error;
  }
  return db;
}

function configure(db: Database.Database, sync: SyncMode): void {
  db.pragma(`synchronous = ${sync === "full" ? "FULL" : "NORMAL"}`);
  db.pragma("foreign_keys = ON");
  // Checkpoints run on a timer: one inside a commit would hold up the requests of that turn.
  db.pragma("wal_autocheckpoint = 0");
  db.pragma(`journal_size_limit = ${WAL_FILE_BYTES_KEPT}`);
  // The audit writes at the end of its table and reads little: a large cache would only fill with what was written.
  db.pragma(`cache_size = -${CACHE_KIBIBYTES}`);
  // Functions and virtual tables named by a planted schema are not run.
  db.pragma("trusted_schema = OFF");
  // Deleted ciphertext is overwritten with zeros in its page.
  db.pragma("secure_delete = ON");
}

export function createConnection(db: Database.Database): Connection {
  const transactions = createTransactions(db);
  const statement = statementCache(db);
  let forget = false;
  return {
    db,
    transactions,
    all: <Row>(query: Compilable<Row>) => {
      const { sql, parameters } = query.compile();
      return statement(sql).all(...parameters) as Row[];
    },
    first: <Row>(query: Compilable<Row>) => {
      const { sql, parameters } = query.compile();
      return statement(sql).get(...parameters) as Row | undefined;
    },
    run: (query) => {
      if (transactions.active && !db.inTransaction) throw lostTransaction();
      const { sql, parameters } = query.compile();
      return explainConstraint(() => statement(sql).run(...parameters).changes);
    },
    forget: () => {
      forget = true;
    },
    takeForgetRequest: () => {
      const requested = forget;
      forget = false;
      return requested;
    },
  };
}

/** After an error that SQLite answers with a rollback, a further write would be committed on its own. */
function lostTransaction(): StoreError {
  return new StoreError("transaction", "the database rolled the transaction back");
}

function explainConstraint<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (!(cause instanceof Database.SqliteError)) throw cause;
    // SQLite names the table and columns, never the values.
    if (/_(UNIQUE|PRIMARYKEY)$/.test(cause.code)) throw new StoreError("conflict", cause.message, { cause });
    if (cause.code.endsWith("_FOREIGNKEY")) throw new StoreError("not_found", cause.message, { cause });
    throw cause;
  }
}

function statementCache(db: Database.Database): (sql: string) => Database.Statement {
  const statements = new Map<string, Database.Statement>();
  return (text) => {
    const known = statements.get(text);
    if (known !== undefined) return known;
    if (statements.size >= STATEMENTS_MAX) statements.clear();
    const prepared = db.prepare(text);
    statements.set(text, prepared);
    return prepared;
  };
}
