// What the tests of this folder and of the authority share: temporary directories, vaults on them, faults.
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { randomUUID } from "node:crypto";
import type { SealContext, Vault } from "./contract.ts";
import { Secret } from "./secret.ts";
import type { TestStore } from "./test-store.ts";
import { openVault } from "./vault.ts";

export const NOW = Date.UTC(2026, 0, 15);

export function temporaryDirectory(): string {
  return mkdtempSync(path.join(tmpdir(), "vault-"));
}

export function vaultOn(store: TestStore, dataDir: string): Promise<Vault> {
  return openVault({ store, kek: { dataDir }, clock: () => NOW });
}

export function secretContext(rowId: string = randomUUID()): SealContext {
  return { table: "secrets", rowId, purpose: "secret-value" };
}

/** Seals and stores a value; returns its place. */
export function keep(store: TestStore, vault: Vault, plaintext: string): SealContext {
  const context = secretContext();
  store.put({ ...context, sealed: vault.seal(context, Secret.of(plaintext)) });
  return context;
}

export function stored(store: TestStore, context: SealContext): Uint8Array {
  const cell = store.sealed.page(null, 100_000).find(({ rowId }) => rowId === context.rowId);
  if (cell === undefined) throw new Error("no such cell");
  return cell.sealed;
}

export function reveal(store: TestStore, vault: Vault, context: SealContext): string {
  return vault.open(context, stored(store, context)).reveal();
}

/** The same store; its n-th write or transaction throws, before it did anything. */
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
        if (count.calls === n) throw new Error(`interrupted at write ${n}`);
        return Reflect.apply(value, target, args);
      };
    },
  });
}
