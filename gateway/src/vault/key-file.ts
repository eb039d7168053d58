// Key files: read only when no other user could have read or changed them, written so that they survive power loss.
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  writeSync,
} from "node:fs";
import { rmSync, type Stats } from "node:fs";
import path from "node:path";
import { limits } from "../limits.ts";
import { KEY_BYTES } from "./aead.ts";
import { VaultError } from "./error.ts";
import { ownedKey } from "./seal.ts";

/** The key, or undefined when there is no such file. */
export function readKeyFile(file: string): Buffer | undefined {
  const descriptor = openForReading(file);
  if (descriptor === undefined) return undefined;
  try {
    refuseShared(file, fstatSync(descriptor));
    return parseKey(readText(descriptor), file);
  } finally {
    closeSync(descriptor);
  }
}

/** Fails with EEXIST rather than touch a file that is there. */
export function createKeyFile(file: string, key: Buffer): void {
  const descriptor = openSync(file, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    writeSync(descriptor, `${key.toString("hex")}\n`);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  syncDirectory(path.dirname(file));
}

/** False when there is no such file. */
export function renameKeyFile(from: string, to: string): boolean {
  try {
    renameSync(from, to);
  } catch (error) {
    if (isCode(error, "ENOENT")) return false;
    throw error;
  }
  syncDirectory(path.dirname(to));
  return true;
}

export function removeKeyFile(file: string): void {
  rmSync(file, { force: true });
  syncDirectory(path.dirname(file));
}

/** 64 hexadecimal digits, or base64 of 32 bytes. `origin` is named in the refusal, the text never is. */
export function parseKey(text: string, origin: string): Buffer {
  const trimmed = text.trim();
  const encoding = /^[0-9a-f]{64}$/i.test(trimmed) ? "hex" : "base64";
  const key = Buffer.from(trimmed, encoding);
  const isWhole = encoding === "hex" || key.toString("base64") === trimmed;
  if (!isWhole || key.length !== KEY_BYTES) {
    throw new VaultError("key_malformed", `${origin} must hold 32 bytes, as 64 hex digits or as base64`);
  }
  if (key.every((byte) => byte === key[0])) {
    throw new VaultError(
      "key_malformed",
      `${origin} repeats one byte: make a random key, openssl rand -hex 32`,
    );
  }
  return ownedKey(key);
}

export function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

function openForReading(file: string): number | undefined {
  // O_NONBLOCK: opening a FIFO must not wait for its writer.
  const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
  try {
    return openSync(file, flags);
  } catch (error) {
    if (isCode(error, "ENOENT")) return undefined;
    if (isCode(error, "ELOOP")) throw refused(file, "is a symbolic link: name the file itself");
    if (isCode(error, "EACCES")) throw refused(file, "can't be read by this user");
    throw error;
  }
}

function refuseShared(file: string, stats: Stats): void {
  if (!stats.isFile()) throw refused(file, "is not a regular file");
  if (stats.size > limits.keyFileBytesMax) throw refused(file, "is too large to be a key file");
  if (process.geteuid === undefined) return;
  if (stats.uid !== process.geteuid()) {
    throw refused(file, `belongs to another user: chown ${process.geteuid()} '${file}'`);
  }
  if ((stats.mode & 0o077) !== 0) throw refused(file, `can be used by other users: chmod 600 '${file}'`);
}

function readText(descriptor: number): string {
  const buffer = Buffer.alloc(limits.keyFileBytesMax);
  const length = readSync(descriptor, buffer, 0, buffer.length, 0);
  const text = buffer.toString("latin1", 0, length);
  buffer.fill(0);
  return text;
}

function refused(file: string, reason: string): VaultError {
  return new VaultError("key_refused", `the key file ${file} ${reason}`);
}

function syncDirectory(directory: string): void {
  // Windows can't open a directory; NTFS journals the rename.
  if (process.platform === "win32") return;
  const descriptor = openSync(directory, constants.O_RDONLY);
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
