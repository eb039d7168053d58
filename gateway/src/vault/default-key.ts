// The key file that the gateway makes for itself in the data directory, and its replacement.
//   master.key            wraps the data keys
//   master.key.next       written before the keys are rewrapped with it
//   master.key.previous   the one before: a commit that power loss undid still finds its key
// After any interruption the file whose id the store names becomes master.key; the others stay until the next rotation.
import { randomBytes } from "node:crypto";
import path from "node:path";
import { KEY_BYTES } from "./aead.ts";
import { VaultError } from "./error.ts";
import { createKeyFile, isCode, readKeyFile, removeKeyFile, renameKeyFile } from "./key-file.ts";
import { type Kek, kekOf } from "./kek.ts";
import { ownedKey } from "./seal.ts";

/** The key that the store names, else the one in master.key; a key is made only for a store without keys. */
export function defaultKek(dataDir: string, storedKekId: string | undefined): Kek {
  const files = keyFiles(dataDir);
  if (storedKekId === undefined) return existing(files.current) ?? created(files.current);
  const current = existing(files.current);
  if (current?.id === storedKekId) return current;
  for (const [spare, other] of [
    [files.next, files.previous],
    [files.previous, files.next],
  ] as const) {
    const kek = existingSpare(spare);
    if (kek?.id !== storedKekId) continue;
    renameKeyFile(files.current, other);
    renameKeyFile(spare, files.current);
    return { ...kek, origin: files.current };
  }
  if (current !== undefined) return current;
  throw missing(files.current);
}

/** On disk before anything is wrapped with it. */
export function nextDefaultKek(dataDir: string): Kek {
  const { next, current } = keyFiles(dataDir);
  removeKeyFile(next);
  return { ...created(next), origin: current };
}

export function promoteNextKek(dataDir: string): void {
  const { current, next, previous } = keyFiles(dataDir);
  renameKeyFile(current, previous);
  renameKeyFile(next, current);
}

function keyFiles(dataDir: string) {
  const current = path.join(dataDir, "master.key");
  return { current, next: `${current}.next`, previous: `${current}.previous` };
}

function existing(file: string): Kek | undefined {
  const key = readKeyFile(file);
  return key === undefined ? undefined : kekOf(key, file, "default-file");
}

function existingSpare(file: string): Kek | undefined {
  try {
    return existing(file);
  } catch (error) {
    // A file that was cut off while it was written never wrapped anything.
    if (error instanceof VaultError && error.code === "key_malformed") return undefined;
    throw error;
  }
}

function created(file: string): Kek {
  const key = ownedKey(randomBytes(KEY_BYTES));
  try {
    createKeyFile(file, key);
  } catch (error) {
    if (!isCode(error, "EEXIST")) throw error;
    throw new VaultError("key_refused", `another process just made ${file}: start again`, { cause: error });
  }
  return kekOf(key, file, "default-file");
}

function missing(file: string): VaultError {
  return new VaultError(
    "key_missing",
    `${file} is missing, and the store holds keys that were wrapped with it. Restore the file from a backup, ` +
      "or set ONECLI_MASTER_KEY, ONECLI_MASTER_KEY_FILE or ONECLI_PASSPHRASE if one of them was used before.",
  );
}
