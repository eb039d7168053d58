// The vault: seals values for one place in the database, opens them there, and renews its keys.
import { hkdfSync } from "node:crypto";
import { ready } from "libsodium-wrappers";
import type { Clock } from "../model.ts";
import { KEY_BYTES } from "./aead.ts";
import type { Vault } from "./contract.ts";
import { VaultError } from "./error.ts";
import {
  type Keyring,
  type VaultStore,
  createKeys,
  eraseKeyring,
  isNewStore,
  openKeyring,
} from "./keyring.ts";
import { type KekOptions, loadKek } from "./key-source.ts";
import { type Rotated, openCell, rotateKeys } from "./rotate.ts";
import { sealWith } from "./seal.ts";

export interface VaultOptions {
  readonly store: VaultStore;
  readonly kek: KekOptions;
  readonly clock: Clock;
}

/** Makes the keys at the first start. @throws VaultError; a store that exists is left as it was. */
export async function openVault(options: VaultOptions): Promise<Vault> {
  await ready;
  const { store, clock } = options;
  const isNew = isNewStore(store);
  const kek = await loadKek(options.kek, store);
  if (isNew) createKeys(store, kek, clock);
  return vaultOf(options, openKeyring(store, kek));
}

function vaultOf({ store, kek, clock }: VaultOptions, keyring: Keyring): Vault {
  let isClosed = false;
  let rotation: Promise<Rotated> | undefined;
  const opened = (): Keyring => {
    if (isClosed) throw new VaultError("closed", "the vault is closed");
    return keyring;
  };
  const parts = { store, keyring, clock, dataDir: kek.dataDir, isClosed: () => isClosed };
  const rotateOnce = async () => {
    try {
      opened();
      return await rotateKeys(parts);
    } finally {
      rotation = undefined;
    }
  };
  return {
    get activeKeyId() {
      return opened().active.id;
    },
    seal: (context, plaintext) => sealWith(opened().active, context, plaintext),
    open: (context, sealed) => openCell(opened(), context, sealed),
    derive: (purpose) => derived(opened(), purpose),
    rotate: () => (rotation ??= rotateOnce()),
    close() {
      isClosed = true;
      eraseKeyring(keyring);
    },
  };
}

/** HKDF (RFC 5869) from the root key, which no rotation replaces. */
function derived(keyring: Keyring, purpose: string): Buffer {
  return Buffer.from(hkdfSync("sha256", keyring.root.bytes, "", `onecli ${purpose}`, KEY_BYTES));
}
