// Brings a database to this version's tables, in one transaction, or leaves it as it was.
import type { Database } from "better-sqlite3";
import { Kysely, SqliteDialect } from "kysely";
import { type Migration, Migrator } from "kysely/migration";
import { migrations as released } from "../../../migrations/index.ts";
import { StoreError } from "./error.ts";
import { APPLICATION_ID } from "./inspect.ts";

export type Migrations = Readonly<Record<string, Migration>>;
export { released };

/** `PRAGMA user_version` counts the migrations that a file has seen; a current file costs one read. */
export async function migrate(db: Database, migrations: Migrations = released): Promise<void> {
  const newest = Object.keys(migrations).length;
  if (db.pragma("user_version", { simple: true }) === newest) return;
  db.exec("BEGIN IMMEDIATE");
  try {
    await runMigrator(db, migrations);
    db.pragma(`application_id = ${APPLICATION_ID}`);
    db.pragma(`user_version = ${newest}`);
    db.exec("COMMIT");
  } catch (cause) {
    if (db.inTransaction) db.exec("ROLLBACK");
    throw new StoreError("migration_failed", `${db.name} could not be migrated: nothing was changed`, {
      cause,
    });
  }
  // The version is read from the file's own header at the next start, so it must not stay in the log.
  db.pragma("wal_checkpoint(TRUNCATE)");
}

/** Kysely opens no transaction of its own for SQLite: the caller's holds all of them. */
async function runMigrator(db: Database, migrations: Migrations): Promise<void> {
  const migrator = new Migrator({
    db: new Kysely<unknown>({ dialect: new SqliteDialect({ database: db }) }),
    provider: { getMigrations: () => Promise.resolve({ ...migrations }) },
  });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
}
