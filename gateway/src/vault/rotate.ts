// New keys, and everything re-encrypted with them while the gateway works on. Interrupted anywhere, what is stored
// still opens, and the next rotation finishes. NIST SP 800-57 part 1: deactivated keys open, and go when nothing needs them.
import { randomUUID } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { limits } from "../limits.ts";
import type { Clock } from "../model.ts";
import type { SealedCell, SealedPosition } from "../store/store.ts";
import type { SealContext } from "./contract.ts";
import { defaultKek, nextDefaultKek, promoteNextKek } from "./default-key.ts";
import { VaultError } from "./error.ts";
import { type Keyring, type VaultStore, insertKey, isRoot, newKey, rewrap } from "./keyring.ts";
import { cannotOpen, openWith, sealWith, sealedKeyId } from "./seal.ts";

export interface RotationParts {
  readonly store: VaultStore;
  readonly keyring: Keyring;
  readonly dataDir: string;
  readonly clock: Clock;
  /** the keyring was erased */
  readonly isClosed: () => boolean;
}

export interface Rotated {
  readonly keyId: string;
  /** keys wrapped anew */
  readonly rewrapped: number;
  /** sealed values */
  readonly reencrypted: number;
  /** sealed values that no key opens: left as they are, and so are the old keys */
  readonly damaged: number;
}

const PURPOSES: Readonly<Record<SealedPosition["table"], SealContext["purpose"]>> = {
  agents: "agent-token",
  authority: "authority-key",
  secrets: "secret-value",
};

export async function rotateKeys(parts: RotationParts): Promise<Rotated> {
  const rewrapped = parts.keyring.kek.source === "default-file" ? replaceKek(parts) : 0;
  activateNewKey(parts);
  const total = { reencrypted: 0, damaged: 0 };
  for (let after: SealedPosition | null = null; ;) {
    const batch = reencryptBatch(parts, after);
    total.reencrypted += batch.reencrypted;
    total.damaged += batch.damaged;
    after = batch.last;
    if (after === null) break;
    await setImmediate();
    if (parts.isClosed()) throw new VaultError("closed", "the vault was closed while its keys were rotated");
  }
  if (total.damaged === 0) total.reencrypted += destroyOldKeys(parts);
  return { keyId: parts.keyring.active.id, rewrapped, ...total };
}

function replaceKek(parts: RotationParts): number {
  const { store, keyring, dataDir } = parts;
  settleKek(parts);
  const next = nextDefaultKek(dataDir);
  const rewrapped = store.transaction(() => {
    const rows = store.keys.list();
    for (const row of rows) store.keys.update(row.id, rewrap(row, keyring.kek, next));
    return rows.length;
  });
  keyring.kek.bytes.fill(0);
  keyring.kek = next;
  promoteNextKek(dataDir);
  return rewrapped;
}

/** Finishes what an interrupted rotation left of the key files, also when that was in this process. */
function settleKek({ store, keyring, dataDir }: RotationParts): void {
  const storedKekId = store.keys.list()[0]?.kekId;
  const kek = defaultKek(dataDir, storedKekId);
  if (kek.id !== storedKekId) {
    throw new VaultError(
      "wrong_key",
      `${kek.origin} was replaced while the gateway ran: restore it. Nothing was changed.`,
    );
  }
  keyring.kek.bytes.fill(0);
  keyring.kek = kek;
}

function activateNewKey({ store, keyring, clock }: RotationParts): void {
  const key = newKey(randomUUID());
  store.transaction(() => {
    for (const row of store.keys.list()) {
      if (!isRoot(row) && row.state === "active") store.keys.update(row.id, { state: "deactivated" });
    }
    insertKey(store, keyring.kek, key, clock);
  });
  keyring.dataKeys.set(key.id, key);
  keyring.active = key;
}

interface Batch {
  readonly reencrypted: number;
  readonly damaged: number;
  /** null = this was the end */
  readonly last: SealedPosition | null;
}

/** Reads and replaces in one transaction: a value that changes meanwhile is never overwritten by the older one. */
function reencryptBatch({ store, keyring }: RotationParts, after: SealedPosition | null): Batch {
  return store.transaction(() => {
    const cells = store.sealed.page(after, limits.rotationBatchRows);
    const old = cells.filter((cell) => sealedKeyId(cell.sealed) !== keyring.active.id);
    const reencrypted = old.filter((cell) => reencryptCell(store, keyring, cell)).length;
    const last = cells.length < limits.rotationBatchRows ? null : cells.at(-1);
    return { reencrypted, damaged: old.length - reencrypted, last: last ?? null };
  });
}

/** False when the value does not open. */
function reencryptCell(store: VaultStore, keyring: Keyring, cell: SealedCell): boolean {
  const context: SealContext = { table: cell.table, rowId: cell.rowId, purpose: PURPOSES[cell.table] };
  let plaintext;
  try {
    plaintext = openCell(keyring, context, cell.sealed);
  } catch (error) {
    if (error instanceof VaultError && error.code === "cannot_open") return false;
    throw error;
  }
  store.sealed.replace(context, sealWith(keyring.active, context, plaintext));
  plaintext.destroy();
  return true;
}

/** @throws VaultError `cannot_open` */
export function openCell(keyring: Keyring, context: SealContext, sealed: Uint8Array) {
  const key = keyring.dataKeys.get(sealedKeyId(sealed) ?? "");
  if (key === undefined) throw cannotOpen(context, "its data key is unknown");
  return openWith(key, context, sealed);
}

/** In one transaction with a last look: what was sealed before and stored since must not lose its key. */
function destroyOldKeys(parts: RotationParts): number {
  const { store, keyring } = parts;
  const { reencrypted, isWhole } = store.transaction(() => {
    const rest = reencryptRest(parts);
    if (rest.damaged > 0) return { ...rest, isWhole: false };
    for (const row of store.keys.list()) {
      if (!isRoot(row) && row.id !== keyring.active.id) store.keys.delete(row.id);
    }
    return { ...rest, isWhole: true };
  });
  if (isWhole) forgetOldKeys(keyring);
  return reencrypted;
}

function reencryptRest(parts: RotationParts): { reencrypted: number; damaged: number } {
  const total = { reencrypted: 0, damaged: 0 };
  for (let after: SealedPosition | null = null; ;) {
    const batch = reencryptBatch(parts, after);
    total.reencrypted += batch.reencrypted;
    total.damaged += batch.damaged;
    after = batch.last;
    if (after === null) return total;
  }
}

function forgetOldKeys(keyring: Keyring): void {
  for (const key of keyring.dataKeys.values()) {
    if (key === keyring.active) continue;
    key.bytes.fill(0);
    keyring.dataKeys.delete(key.id);
  }
}
