// What is kept: database, vault, audit, authority. Opened in the order in which each needs the ones before.
import { ensureAdminKey } from "../api/admin-key.ts";
import { type AuditTrail, openAudit } from "../audit/open.ts";
import { openAuthority } from "../authority/authority.ts";
import type { CertificateAuthority } from "../authority/contract.ts";
import type { Config } from "../config.ts";
import { createSecretBook, type SecretBook } from "../inject/secret-book.ts";
import type { Log } from "../log.ts";
import type { Clock } from "../model.ts";
import { openStore } from "../store/open.ts";
import type { Store } from "../store/store.ts";
import type { Vault } from "../vault/contract.ts";
import { openVault } from "../vault/vault.ts";

export interface Keeping {
  readonly store: Store;
  readonly vault: Vault;
  readonly audit: AuditTrail;
  readonly authority: CertificateAuthority;
  readonly secrets: SecretBook;
  /** true = this start made the database */
  readonly isNew: boolean;
}

export async function openKeeping(config: Config, log: Log, clock: Clock): Promise<Keeping> {
  const store = await openStore({ dataDir: config.dataDir, auditSync: config.auditSync });
  try {
    return await openOn(store, config, { log, clock });
  } catch (error) {
    store.close();
    throw error;
  }
}

async function openOn(
  store: Store,
  config: Config,
  { log, clock }: { log: Log; clock: Clock },
): Promise<Keeping> {
  const isNew = store.keys.list().length === 0;
  const vault = await openVault({ store, clock, kek: kekOptions(config) });
  const audit = openAudit({ store, clock, vault, log: (message) => log.error(message) });
  const authority = await openAuthority({ store, vault, clock });
  ensureAdminKey({
    store,
    audit,
    clock,
    fromEnvironment: config.apiKey ?? undefined,
    credentialsFile: config.credentialsFile,
  });
  const secrets = createSecretBook({
    store,
    vault,
    unreadable: ({ name }) =>
      log.error({ secret: name }, "this secret can't be opened and will not be injected"),
  });
  return { store, vault, audit, authority, secrets, isNew };
}

function kekOptions({ kek, dataDir }: Config) {
  const { masterKey, masterKeyFile, passphrase } = kek;
  return {
    masterKey: masterKey ?? undefined,
    masterKeyFile: masterKeyFile ?? undefined,
    passphrase: passphrase ?? undefined,
    dataDir,
  };
}

export function closeKeeping({ audit, secrets, vault, store }: Keeping): void {
  audit.stop();
  secrets.close();
  vault.close();
  store.close();
}

/** Something that the gateway itself did. */
export function recordControl(
  { store, audit }: Keeping,
  action: string,
  detail: Record<string, string | number>,
): void {
  store.transaction(() => audit.control({ action, actor: "gateway", target: null, detail }));
}
