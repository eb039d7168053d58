// Looks at a database file before SQLite does, so that a file that is refused is also a file that nobody wrote to.
// Offsets: SQLite file format, section 1.3 "The Database Header".
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { StoreError } from "./error.ts";

const HEADER_BYTES = 100;
const MAGIC = "SQLite format 3\0";

/** Marks a SQLite file as ours ("ONEC"), so that another program's database is not migrated. */
export const APPLICATION_ID = 0x4f_4e_45_43;

/** @throws StoreError `not_a_database`, `corrupt` or `newer_version` */
export function inspectDatabaseFile(file: string, newestVersion: number): void {
  const header = readHeader(file);
  if (header.length < HEADER_BYTES || header.toString("latin1", 0, 16) !== MAGIC) throw notADatabase(file);
  if (header.readUInt32BE(68) !== APPLICATION_ID) {
    throw new StoreError("not_a_database", `${file} is another program's database: nothing was changed`);
  }
  refuseTruncated(file, header);
  const version = header.readUInt32BE(60);
  if (version > newestVersion) throw newerVersion(file, version, newestVersion);
}

/** true = the last process did not stop in order */
export function wasKilled(file: string): boolean {
  return (statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0;
}

function readHeader(file: string): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  const descriptor = openSync(file, "r");
  try {
    return header.subarray(0, readSync(descriptor, header, 0, HEADER_BYTES, 0));
  } finally {
    closeSync(descriptor);
  }
}

/** After a kill the log may still hold the missing pages: then SQLite decides. */
function refuseTruncated(file: string, header: Buffer): void {
  const pageSize = header.readUInt16BE(16) === 1 ? 65_536 : header.readUInt16BE(16);
  const expected = pageSize * header.readUInt32BE(28);
  const { size } = statSync(file);
  if (size >= expected || wasKilled(file)) return;
  throw new StoreError(
    "corrupt",
    `${file} is truncated (${size} of ${expected} bytes): nothing was changed, restore it from a backup`,
  );
}

function notADatabase(file: string): StoreError {
  return new StoreError(
    "not_a_database",
    `${file} is not a database (empty, damaged or another kind of file): nothing was changed. Restore it from a backup, or move it away to start anew`,
  );
}

function newerVersion(file: string, version: number, newest: number): StoreError {
  return new StoreError(
    "newer_version",
    `${file} was written by a newer version (tables ${version}, this version knows ${newest}): nothing was changed, start that version again`,
  );
}
