// Who may read the database: directory 0700, files 0600, no symbolic links. Anything else is refused, not repaired,
// because whoever could read the file until now may have done so.
import { chmodSync, closeSync, existsSync, lstatSync, mkdirSync, openSync, type Stats } from "node:fs";
import { StoreError } from "./error.ts";

const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;
const GROUP_AND_OTHERS = 0o077;

/** Makes the directory when it is not there, refuses one that others can enter. */
export function ensurePrivateDirectory(directory: string): void {
  const first = makeDirectory(directory);
  // The umask can only take bits away, but a default ACL can add some.
  if (first !== undefined) chmodSync(directory, DIRECTORY_MODE);
  const stats = lstatSync(directory);
  if (!stats.isDirectory()) throw notPlain(directory, "directory");
  refuseForeign(directory, stats);
  refuseOpenMode(directory, stats, DIRECTORY_MODE);
}

function makeDirectory(directory: string): string | undefined {
  try {
    return mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE });
  } catch (error) {
    const { code = "unknown" } = error as NodeJS.ErrnoException;
    throw new StoreError("permissions", `ONECLI_DATA_DIR: ${directory} can't be made (${code})`, {
      cause: error,
    });
  }
}

/** Refuses the database when it, its log or its index is a link or readable by others. */
export function checkDatabaseFiles(file: string): void {
  for (const name of [file, `${file}-wal`, `${file}-shm`]) checkPrivateFile(name);
}

export function checkPrivateFile(file: string): void {
  const stats = lstatSync(file, { throwIfNoEntry: false });
  if (stats === undefined) return;
  if (!stats.isFile()) throw notPlain(file, "file");
  refuseForeign(file, stats);
  refuseOpenMode(file, stats, FILE_MODE);
}

/** SQLite gives its log and index files the mode of the database file, so that one has to be right first. */
export function createPrivateFile(file: string): void {
  if (existsSync(file)) return checkPrivateFile(file);
  closeSync(openSync(file, "wx", FILE_MODE));
  return checkPrivateFile(file);
}

function refuseOpenMode(name: string, stats: Stats, mode: number): void {
  if (process.platform === "win32" || (stats.mode & GROUP_AND_OTHERS) === 0) return;
  const octal = mode.toString(8);
  throw new StoreError(
    "permissions",
    `${name} can be read by other users (mode ${(stats.mode & 0o777).toString(8)}): run "chmod ${octal} ${name}"`,
  );
}

function refuseForeign(name: string, stats: Stats): void {
  const user = process.geteuid?.();
  if (user === undefined || stats.uid === user) return;
  throw new StoreError(
    "permissions",
    `${name} belongs to another user (uid ${stats.uid}, this process runs as ${user}): run "chown ${user} ${name}"`,
  );
}

function notPlain(name: string, kind: string): StoreError {
  return new StoreError(
    "permissions",
    `${name} is not a plain ${kind}: a link or special file is not followed`,
  );
}
