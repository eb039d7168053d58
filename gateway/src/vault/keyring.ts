// The data keys (DEK) in memory, and in the store wrapped by the key-encryption key (KEK).
// A wrapped key is a version byte, then nonce, ciphertext and tag; the ids of both keys are its associated data.
import { randomBytes, randomUUID } from "node:crypto";
import type { Clock } from "../model.ts";
import type { KeyRow, Store } from "../store/store.ts";
import { KEY_BYTES, associatedData, decrypt, encrypt } from "./aead.ts";
import { VaultError } from "./error.ts";
import type { Kek } from "./kek.ts";
import { type DataKey, ownedKey } from "./seal.ts";

export type VaultStore = Pick<Store, "transaction" | "meta" | "keys" | "sealed">;

export interface Keyring {
  kek: Kek;
  active: DataKey;
  /** derives what must outlive every rotation; rewrapped, never replaced */
  readonly root: DataKey;
  /** every data key that sealed something, the active one too, by id */
  readonly dataKeys: Map<string, DataKey>;
}

const VERSION = 1;
const ROOT_PREFIX = "root-";

/** @throws VaultError `wrong_key`, or `cannot_open` when the rows are damaged */
export function openKeyring(store: VaultStore, kek: Kek): Keyring {
  const rows = store.keys.list();
  if (!rows.some((row) => row.kekId === kek.id)) throw wrongKey(kek);
  const roots = rows.filter(isRoot);
  const active = rows.filter((row) => !isRoot(row) && row.state === "active");
  const [root, activeRow] = [roots[0], active[0]];
  if (root === undefined || activeRow === undefined || roots.length > 1 || active.length > 1) {
    throw damaged("it must hold one root key and one active data key");
  }
  const dataKeys = new Map(rows.filter((row) => !isRoot(row)).map((row) => [row.id, unwrapped(kek, row)]));
  return { kek, root: unwrapped(kek, root), active: dataKeys.get(activeRow.id)!, dataKeys };
}

/** Sealed values without a key mean that the keys were deleted; new ones would hide that. */
export function isNewStore(store: VaultStore): boolean {
  if (store.keys.list().length > 0) return false;
  if (store.sealed.page(null, 1).length > 0) throw damaged("it is empty, yet there are sealed values");
  return true;
}

export function createKeys(store: VaultStore, kek: Kek, clock: Clock): void {
  store.transaction(() => {
    insertKey(store, kek, newKey(`${ROOT_PREFIX}${randomUUID()}`), clock);
    insertKey(store, kek, newKey(randomUUID()), clock);
  });
}

export function newKey(id: string): DataKey {
  return { id, bytes: ownedKey(randomBytes(KEY_BYTES)) };
}

export function insertKey(store: VaultStore, kek: Kek, key: DataKey, clock: Clock): void {
  const wrapped = wrap(kek, key);
  store.keys.insert({ id: key.id, wrapped, kekId: kek.id, state: "active", createdAt: clock() });
}

export function isRoot(row: Pick<KeyRow, "id">): boolean {
  return row.id.startsWith(ROOT_PREFIX);
}

/** The columns that change. */
export function rewrap(row: KeyRow, from: Kek, to: Kek): Pick<KeyRow, "wrapped" | "kekId"> {
  const key = unwrapped(from, row);
  const wrapped = wrap(to, key);
  key.bytes.fill(0);
  return { wrapped, kekId: to.id };
}

export function eraseKeyring(keyring: Keyring): void {
  for (const key of [keyring.root, keyring.active, ...keyring.dataKeys.values()]) key.bytes.fill(0);
  keyring.kek.bytes.fill(0);
  keyring.dataKeys.clear();
}

function wrap(kek: Kek, key: DataKey): Uint8Array {
  return Buffer.concat([Buffer.of(VERSION), encrypt(kek.bytes, key.bytes, bound(kek, key.id))]);
}

function unwrapped(kek: Kek, row: KeyRow): DataKey {
  const plaintext =
    row.kekId === kek.id && row.wrapped[0] === VERSION
      ? decrypt(kek.bytes, row.wrapped.subarray(1), bound(kek, row.id))
      : undefined;
  if (plaintext?.length !== KEY_BYTES) throw damaged(`key ${row.id} does not unwrap`);
  return { id: row.id, bytes: ownedKey(plaintext) };
}

function bound(kek: Kek, keyId: string): Uint8Array {
  return associatedData("dek", String(VERSION), keyId, kek.id);
}

function wrongKey(kek: Kek): VaultError {
  return new VaultError(
    "wrong_key",
    `the key from ${kek.origin} is not the one that this store was sealed with. Nothing was changed. ` +
      "Start with the original key: ONECLI_MASTER_KEY, ONECLI_MASTER_KEY_FILE, ONECLI_PASSPHRASE, " +
      "or none of them for master.key in the data directory.",
  );
}

function damaged(reason: string): VaultError {
  return new VaultError(
    "cannot_open",
    `the table of keys is damaged: ${reason}. Restore the database from a backup.`,
  );
}
