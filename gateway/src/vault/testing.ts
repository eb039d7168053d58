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

export interface Fault {
  /** counts down with each call that matches; at zero it throws */
  remaining: number;
  readonly calls: RegExp;
  /** `after`: what was called took effect, as when the process dies before it hears of it */
  readonly when: "before" | "after";
}

/** The same store, one of whose calls throws. */
export function failing<S extends object>(store: S, fault: Fault): S {
  return new Proxy(store, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property);
      if (typeof value === "object" && value !== null) return failing(value, fault);
      if (typeof value !== "function") return value;
      if (!fault.calls.test(String(property))) return value.bind(target);
      return (...args: unknown[]) => {
        fault.remaining -= 1;
        const isNow = fault.remaining === 0;
        if (isNow && fault.when === "before") throw new Error("interrupted");
        const result: unknown = Reflect.apply(value, target, args);
        if (isNow) throw new Error("interrupted");
        return result;
      };
    },
  });
}
