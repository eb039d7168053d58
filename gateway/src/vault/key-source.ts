// Where the key-encryption key comes from: a setting, a file, a passphrase, or a file that the gateway makes itself.
import type { Store } from "../store/store.ts";
import { defaultKek } from "./default-key.ts";
import { VaultError } from "./error.ts";
import { type Kek, kekOf } from "./kek.ts";
import { parseKey, readKeyFile } from "./key-file.ts";
import { passphraseKey } from "./passphrase.ts";

/** At most one of the first three; none = `master.key` in the data directory. */
export interface KekOptions {
  /** 64 hex digits, or base64 of 32 bytes */
  readonly masterKey?: string | undefined;
  /** path of a file with the same */
  readonly masterKeyFile?: string | undefined;
  readonly passphrase?: string | undefined;
  readonly dataDir: string;
}

/** Call when `sodium.ready`. @throws VaultError */
export async function loadKek(options: KekOptions, store: Pick<Store, "keys" | "meta">): Promise<Kek> {
  refuseSeveral(options);
  const storedKekId = store.keys.list()[0]?.kekId;
  const { masterKey, masterKeyFile, passphrase, dataDir } = options;
  if (masterKey !== undefined) {
    return kekOf(parseKey(masterKey, "ONECLI_MASTER_KEY"), "ONECLI_MASTER_KEY", "setting");
  }
  if (masterKeyFile !== undefined) return fileKek(masterKeyFile);
  if (passphrase !== undefined) {
    const key = await passphraseKey(passphrase, store.meta, storedKekId === undefined);
    return kekOf(key, "ONECLI_PASSPHRASE", "passphrase");
  }
  return defaultKek(dataDir, storedKekId);
}

function refuseSeveral({ masterKey, masterKeyFile, passphrase }: KekOptions): void {
  const given = [masterKey, masterKeyFile, passphrase].filter((source) => source !== undefined);
  if (given.length < 2) return;
  throw new VaultError(
    "key_refused",
    "set only one of ONECLI_MASTER_KEY, ONECLI_MASTER_KEY_FILE and ONECLI_PASSPHRASE",
  );
}

function fileKek(file: string): Kek {
  const key = readKeyFile(file);
  if (key === undefined)
    throw new VaultError("key_missing", `ONECLI_MASTER_KEY_FILE: ${file} does not exist`);
  return kekOf(key, file, "file");
}
