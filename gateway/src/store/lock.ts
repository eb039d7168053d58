// One gateway per data directory. The lock is SQLite's own exclusive lock on a file of no content: the kernel drops
// it with the process, so a killed gateway leaves nothing behind that someone has to clean up.
import Database from "better-sqlite3";
import { StoreError } from "./error.ts";
import { createPrivateFile } from "./files.ts";

export interface Lock {
  release(): void;
}

/** @throws StoreError `locked` when another gateway holds it */
export function acquireLock(file: string): Lock {
  createPrivateFile(file);
  const db = new Database(file, { timeout: 0 });
  try {
    db.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    db.close();
    throw lockError(file, error);
  }
  return { release: () => void db.close() };
}

function lockError(file: string, cause: unknown): StoreError {
  if (cause instanceof Database.SqliteError && cause.code.startsWith("SQLITE_BUSY")) {
    return new StoreError("locked", `another gateway is running on this data directory (it holds ${file})`, {
      cause,
    });
  }
  return new StoreError("locked", `the lock file ${file} can't be used: remove it and start again`, {
    cause,
  });
}
