// Opened secrets, by credential: the vault is asked when the configuration changes, not when a request comes.
import type { Credential } from "../model.ts";
import type { Store } from "../store/store.ts";
import type { Vault } from "../vault/contract.ts";
import type { Secret } from "../vault/secret.ts";

export interface SecretBook {
  get(credentialId: string): Secret | undefined;
  /** Opens what is new or changed, destroys what is gone. A value that does not open is left out and reported. */
  reload(credentials: readonly Credential[]): void;
  close(): void;
}

interface Entry {
  readonly sealed: Uint8Array;
  readonly secret: Secret;
}

export interface SecretBookParts {
  readonly store: Pick<Store, "secrets">;
  readonly vault: Pick<Vault, "open">;
  readonly unreadable: (credential: Credential) => void;
}

export function createSecretBook(parts: SecretBookParts): SecretBook {
  let entries = new Map<string, Entry>();
  return {
    get: (credentialId) => entries.get(credentialId)?.secret,
    reload(credentials) {
      const next = new Map<string, Entry>();
      for (const credential of credentials) {
        const entry = openEntry(parts, credential, entries.get(credential.id));
        if (entry !== undefined) next.set(credential.id, entry);
      }
      for (const [id, entry] of entries) if (next.get(id) !== entry) entry.secret.destroy();
      entries = next;
    },
    close() {
      for (const { secret } of entries.values()) secret.destroy();
      entries.clear();
    },
  };
}

function openEntry(
  parts: SecretBookParts,
  credential: Credential,
  known: Entry | undefined,
): Entry | undefined {
  const sealed = parts.store.secrets.valueSealed(credential.id);
  if (sealed === undefined) return undefined;
  if (known !== undefined && Buffer.compare(known.sealed, sealed) === 0) return known;
  try {
    const context = { table: "secrets", rowId: credential.id, purpose: "secret-value" } as const;
    return { sealed, secret: parts.vault.open(context, sealed) };
  } catch {
    parts.unreadable(credential);
    return undefined;
  }
}
