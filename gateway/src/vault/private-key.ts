// Private keys go into the vault and out of it here, so that their bytes are never seen elsewhere.
import { type KeyObject, createPrivateKey } from "node:crypto";
import type { SealContext, Vault } from "./contract.ts";
import { Secret } from "./secret.ts";

/** PKCS #8, sealed. */
export function sealPrivateKey(vault: Vault, context: SealContext, key: KeyObject): Uint8Array {
  const der = key.export({ format: "der", type: "pkcs8" });
  const secret = Secret.of(der);
  der.fill(0);
  try {
    return vault.seal(context, secret);
  } finally {
    secret.destroy();
  }
}

/** @throws VaultError `cannot_open` */
export function openPrivateKey(vault: Vault, context: SealContext, sealed: Uint8Array): KeyObject {
  const secret = vault.open(context, sealed);
  try {
    return createPrivateKey({ key: secret.revealBytes(), format: "der", type: "pkcs8" });
  } finally {
    secret.destroy();
  }
}
