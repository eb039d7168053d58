// Files that containers mount: in a directory only this user can enter, named by their content, so that two users or
// two gateways on one host never overwrite each other's.
import { createHash, randomBytes } from "node:crypto";
import { chmod, lstat, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { OneCLIError } from "./errors.ts";

export interface NamedContent {
  /** file name; the content's digest is put before its extension */
  readonly name: string;
  readonly content: string;
}

/** The absolute path of a file with that content. */
export async function privateFile(directory: string, { name, content }: NamedContent): Promise<string> {
  await privateDirectory(directory);
  const file = path.resolve(directory, addressedName(name, content));
  if (!(await holds(file, content))) await replace(file, content);
  return file;
}

const OTHERS_MASK = 0o077;

/** Makes the directory, or closes it to others; refuses one that is a link or belongs to somebody else. */
export async function privateDirectory(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const found = await lstat(directory);
  if (!found.isDirectory()) throw unusable(directory, "is not a directory");
  if (process.getuid !== undefined && found.uid !== process.getuid()) {
    throw unusable(directory, "belongs to another user");
  }
  if (process.platform !== "win32" && (found.mode & OTHERS_MASK) !== 0) await chmod(directory, 0o700);
}

function unusable(directory: string, why: string): OneCLIError {
  return new OneCLIError(`${directory} ${why}`, { hint: "move it away, or choose another filesDirectory" });
}

function addressedName(name: string, content: string): string {
  const digest = createHash("sha256").update(content).digest("hex").slice(0, 32);
  const { name: stem, ext } = path.parse(path.basename(name).replaceAll(/[^A-Za-z0-9._-]/g, "_"));
  return `${stem}-${digest}${ext}`;
}

async function holds(file: string, content: string): Promise<boolean> {
  try {
    const found = await lstat(file);
    return found.isFile() && (await readFile(file, "utf8")) === content;
  } catch {
    return false;
  }
}

/** 0644: the mounted file is read by whatever user the container runs as; on the host the directory keeps others out. */
async function replace(file: string, content: string): Promise<void> {
  const draft = `${file}.${randomBytes(6).toString("hex")}`;
  try {
    await writeFile(draft, content, { flag: "wx", mode: 0o644 });
    await chmod(draft, 0o644);
    await rename(draft, file);
  } finally {
    await rm(draft, { force: true });
  }
}
