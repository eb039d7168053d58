// For tests: vaults on a real database, values in it, and faults.
import { randomUUID } from "node:crypto";
import type { Store } from "../store/store.ts";
import { aCredential } from "../store/testing.ts";
import type { SealContext, Vault } from "./contract.ts";
import { Secret } from "./secret.ts";
import { openVault } from "./vault.ts";

export const NOW = Date.UTC(2026, 0, 15);

export function vaultOn(store: Store, dataDir: string): Promise<Vault> {
  return openVault({ store, kek: { dataDir }, clock: () => NOW });
}

export function secretContext(rowId: string = randomUUID()): SealContext {
  return { table: "secrets", rowId, purpose: "secret-value" };
}

/** Seals and stores a value; returns its place. */
export function keep(store: Store, vault: Vault, plaintext: string): SealContext {
  const context = secretContext();
  const id = context.rowId;
  const sealed = vault.seal(context, Secret.of(plaintext));
  store.secrets.insert(aCredential({ id, name: id, hostPattern: `${id}.test` }), sealed);
  return context;
}

export function stored(store: Store, context: SealContext): Uint8Array {
  const sealed = store.secrets.valueSealed(context.rowId);
  if (sealed === undefined) throw new Error("no such secret");
  return sealed;
}

export function reveal(store: Store, vault: Vault, context: SealContext): string {
  return vault.open(context, stored(store, context)).reveal();
}

/** All that the vault may change, to compare. */
export function dump(store: Store): string {
  const cells = store.sealed.page(null, 100_000);
  return JSON.stringify([store.keys.list(), store.meta.get("vault.passphrase"), cells]);
}

/** The same store; its n-th transaction or change throws before it begins. */
export function failingAt<S extends object>(store: S, n: number, count = { calls: 0 }): S {
  return new Proxy(store, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property);
      if (typeof value === "object" && value !== null) return failingAt(value, n, count);
      if (typeof value !== "function") return value;
      if (!/^(transaction|insert|update|delete|replace|set)$/.test(String(property)))
        return value.bind(target);
      return (...args: unknown[]) => {
        count.calls += 1;
        if (count.calls === n) throw new Error(`interrupted at change ${n}`);
        return Reflect.apply(value, target, args);
      };
    },
  });
}
