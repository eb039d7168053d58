// A key from a passphrase: Argon2id (RFC 9106). Salt and cost lie in the store, so that the cost can be raised later.
import { argon2, randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { z } from "zod";
import { limits } from "../limits.ts";
import type { MetaStore } from "../store/store.ts";
import { KEY_BYTES } from "./aead.ts";
import { VaultError } from "./error.ts";
import { ownedKey } from "./seal.ts";

const META_KEY = "vault.passphrase";

/** RFC 9106 section 4, second recommended option; above OWASP's minimum. `memory` in KiB. */
const COST = { memory: 65_536, passes: 3, parallelism: 4 } as const;

const Parameters = z.strictObject({
  algorithm: z.literal("argon2id"),
  salt: z.string().regex(/^[0-9a-f]{32}$/),
  memory: z.int().min(COST.memory).max(limits.passphraseMemoryKibMax),
  passes: z.int().min(COST.passes).max(limits.passphrasePassesMax),
  parallelism: z.int().min(1).max(limits.passphraseLanesMax),
});
type Parameters = z.infer<typeof Parameters>;

/** Salt and cost are made anew while nothing is sealed: whatever was planted there before does not count. */
export async function passphraseKey(
  passphrase: string,
  meta: MetaStore,
  isFirstStart: boolean,
): Promise<Buffer> {
  if (passphrase.length < limits.passphraseCharactersMin) {
    throw new VaultError(
      "key_malformed",
      `ONECLI_PASSPHRASE needs at least ${limits.passphraseCharactersMin} characters`,
    );
  }
  const parameters = isFirstStart ? newParameters(meta) : storedParameters(meta);
  return argon2id(passphrase, parameters);
}

async function argon2id(passphrase: string, parameters: Parameters): Promise<Buffer> {
  const { memory, passes, parallelism, salt } = parameters;
  const nonce = Buffer.from(salt, "hex");
  // RFC 8265 section 4.2.2: normalization form C, or the same passphrase typed elsewhere gives another key.
  const message = Buffer.from(passphrase.normalize("NFC"), "utf8");
  const cost = { memory, passes, parallelism, tagLength: KEY_BYTES };
  const key = await promisify(argon2)("argon2id", { ...cost, message, nonce });
  message.fill(0);
  return ownedKey(key);
}

function newParameters(meta: MetaStore): Parameters {
  const parameters: Parameters = {
    algorithm: "argon2id",
    salt: randomBytes(16).toString("hex"),
    ...COST,
  };
  meta.set(META_KEY, JSON.stringify(parameters));
  return parameters;
}

function storedParameters(meta: MetaStore): Parameters {
  const stored = meta.get(META_KEY);
  if (stored === undefined) {
    throw new VaultError(
      "wrong_key",
      "this store was not sealed with a passphrase: unset ONECLI_PASSPHRASE and start with the original key. " +
        "Nothing was changed.",
    );
  }
  try {
    return Parameters.parse(JSON.parse(stored));
  } catch (error) {
    throw new VaultError("cannot_open", `the store's ${META_KEY} is damaged: restore a backup`, {
      cause: error,
    });
  }
}
