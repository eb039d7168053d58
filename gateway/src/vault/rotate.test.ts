import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { limits } from "../limits.ts";
import type { SealContext, Vault } from "./contract.ts";
import { Secret } from "./secret.ts";
import type { Store } from "../store/store.ts";
import { temporaryDirectory, temporaryStore } from "../store/testing.ts";
import { NOW, dump, failing, keep, reveal, stored, vaultOn } from "./testing.ts";
import { sealedKeyId } from "./seal.ts";
import { openVault } from "./vault.ts";

const clock = () => NOW;
const keyOf = (dataDir: string) => readFileSync(path.join(dataDir, "master.key"), "utf8");
const dataKeys = (store: Store) => store.keys.list().filter(({ id }) => !id.startsWith("root-"));

async function filled(count: number) {
  const [store, dataDir] = [await temporaryStore(), temporaryDirectory()];
  const vault = await vaultOn(store, dataDir);
  const contexts = Array.from({ length: count }, (_, i) => keep(store, vault, `value-${i}`));
  return { store, dataDir, vault, contexts };
}

function expectAll(store: Store, vault: Vault, contexts: SealContext[], from = 0) {
  for (const [i, context] of contexts.slice(from).entries()) {
    expect(reveal(store, vault, context)).toBe(`value-${i + from}`);
  }
}

describe("a rotation", () => {
  test("re-encrypts everything with a new key and destroys the old one", async () => {
    const { store, dataDir, vault, contexts } = await filled(2 * limits.rotationBatchRows + 1);
    const [oldKey, oldFile, derived] = [vault.activeKeyId, keyOf(dataDir), vault.derive("x")];
    const rotated = await vault.rotate();
    expect(rotated).toEqual({
      keyId: vault.activeKeyId,
      rewrapped: 2,
      reencrypted: contexts.length,
      damaged: 0,
    });
    expect(vault.activeKeyId).not.toBe(oldKey);
    expect(keyOf(dataDir)).not.toBe(oldFile);
    expect(dataKeys(store).map(({ id }) => id)).toEqual([vault.activeKeyId]);
    expect(contexts.every((context) => sealedKeyId(stored(store, context)) === vault.activeKeyId)).toBe(true);
    const again = await vaultOn(store, dataDir);
    expectAll(store, again, contexts);
    expectAll(store, vault, contexts);
    expect(again.derive("x")).toEqual(derived);
  });

  test("leaves no way to open an old copy of a value", async () => {
    const { store, vault, contexts } = await filled(1);
    const copy = stored(store, contexts[0]!);
    await vault.rotate();
    expect(() => vault.open(contexts[0]!, copy)).toThrow(expect.objectContaining({ code: "cannot_open" }));
  });

  test("leaves a key alone that was given by a setting", async () => {
    const [store, dataDir] = [await temporaryStore(), temporaryDirectory()];
    const kek = { masterKey: "00112233445566778899aabbccddeeff".repeat(2), dataDir };
    const vault = await openVault({ store, kek, clock });
    const context = keep(store, vault, "value");
    expect(await vault.rotate()).toMatchObject({ rewrapped: 0, reencrypted: 1 });
    expect(readdirSync(dataDir)).toEqual([]);
    expect(reveal(store, await openVault({ store, kek, clock }), context)).toBe("value");
  });

  test("lets values be opened, sealed and changed while it runs", async () => {
    const { store, vault, contexts } = await filled(3 * limits.rotationBatchRows);
    const rotating = vault.rotate();
    const turns = { count: 0, isDone: false };
    void rotating.finally(() => (turns.isDone = true));
    while (!turns.isDone) {
      expectAll(store, vault, contexts, 2);
      for (const context of contexts.slice(0, 2)) {
        store.secrets.setValue(context.rowId, vault.seal(context, Secret.of(`turn-${turns.count}`)));
      }
      turns.count += 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(turns.count).toBeGreaterThan(1);
    expect(reveal(store, vault, contexts[0]!)).toBe(`turn-${turns.count - 1}`);
    expectAll(store, vault, contexts, 2);
  });

  test("takes along what was sealed before and stored behind its back", async () => {
    const { store, vault, contexts } = await filled(2 * limits.rotationBatchRows);
    const first = store.sealed.page(null, 1)[0]!;
    const context = contexts.find(({ rowId }) => rowId === first.rowId)!;
    const late = vault.seal(context, Secret.of("late"));
    const rotating = vault.rotate();
    store.secrets.setValue(context.rowId, late);
    await rotating;
    expect(reveal(store, vault, context)).toBe("late");
  });

  test("runs once for two callers", async () => {
    const { vault } = await filled(3);
    const [one, two] = await Promise.all([vault.rotate(), vault.rotate()]);
    expect(one).toBe(two);
    expect((await vault.rotate()).keyId).not.toBe(one.keyId);
  });

  test("keeps the old keys while a damaged value needs them, and says so", async () => {
    const { store, vault, contexts } = await filled(3);
    const [first, ...others] = contexts;
    const good = stored(store, first!);
    const damaged = Buffer.from(good);
    damaged[50]! ^= 1;
    store.secrets.setValue(first!.rowId, damaged);
    expect(await vault.rotate()).toMatchObject({ reencrypted: 2, damaged: 1 });
    expect(dataKeys(store)).toHaveLength(2);
    expect(others.map((context) => reveal(store, vault, context))).toEqual(["value-1", "value-2"]);
    store.secrets.setValue(first!.rowId, good);
    expect(await vault.rotate()).toMatchObject({ damaged: 0 });
    expect(reveal(store, vault, first!)).toBe("value-0");
    expect(dataKeys(store)).toHaveLength(1);
  });

  test("stops when the vault is closed, and loses nothing", async () => {
    const { store, dataDir, vault, contexts } = await filled(2 * limits.rotationBatchRows);
    const rotating = vault.rotate();
    vault.close();
    await expect(rotating).rejects.toThrow(expect.objectContaining({ code: "closed" }));
    expectAll(store, await vaultOn(store, dataDir), contexts);
  });

  test("refuses when master.key was replaced meanwhile, and changes nothing", async () => {
    const { store, dataDir, vault, contexts } = await filled(1);
    const [file, before] = [path.join(dataDir, "master.key"), dump(store)];
    const original = keyOf(dataDir);
    writeFileSync(file, "00112233445566778899aabbccddeeff".repeat(2), { mode: 0o600 });
    await expect(vault.rotate()).rejects.toThrow(expect.objectContaining({ code: "wrong_key" }));
    expect(dump(store)).toBe(before);
    writeFileSync(file, original, { mode: 0o600 });
    await vault.rotate();
    expectAll(store, await vaultOn(store, dataDir), contexts);
  });
});

describe("a rotation that is interrupted", () => {
  const EVERY_CHANGE = /^(transaction|insert|update|delete|replace|set)$/;

  test.each([
    { what: "change", count: 3, calls: EVERY_CHANGE, when: "before" },
    { what: "change", count: 3, calls: EVERY_CHANGE, when: "after" },
    { what: "transaction", count: limits.rotationBatchRows + 2, calls: /^transaction$/, when: "before" },
    { what: "transaction", count: limits.rotationBatchRows + 2, calls: /^transaction$/, when: "after" },
  ] as const)("$when any $what loses nothing, and the next one finishes", async (at) => {
    for (let n = 1, isDone = false; !isDone; n += 1) {
      const { store, dataDir, contexts } = await filled(at.count);
      const fault = { remaining: n, calls: at.calls, when: at.when };
      const vault = await openVault({ store: failing(store, fault), kek: { dataDir }, clock });
      await vault.rotate().catch((error: Error) => expect(error.message).toBe("interrupted"));
      isDone = fault.remaining > 0;
      fault.remaining = 0;
      expectAll(store, vault, contexts);
      expectAll(store, await vaultOn(store, dataDir), contexts);
      // By turns in the same process and in the next one.
      const next = n % 2 === 0 ? vault : await vaultOn(store, dataDir);
      await next.rotate();
      expect(dataKeys(store)).toHaveLength(1);
      expectAll(store, await vaultOn(store, dataDir), contexts);
    }
  });

  // What the data directory can look like when the process or the power dies between two steps.
  test.each<[string, (files: KeyFiles) => void]>([
    [
      "before the next key was whole",
      ({ put, old }) => (put("master.key", old), put("master.key.next", "00")),
    ],
    [
      "before the keys were rewrapped",
      ({ put, old, other }) => (put("master.key", old), put("master.key.next", other)),
    ],
    [
      "after the keys were rewrapped",
      ({ put, old, other }) => (put("master.key", other), put("master.key.next", old)),
    ],
    [
      "between the two renames",
      ({ put, old, other }) => (put("master.key.previous", other), put("master.key.next", old)),
    ],
    [
      "and its commit was lost",
      ({ put, old, other }) => (put("master.key", other), put("master.key.previous", old)),
    ],
  ])("%s finds its key", async (_, arrange) => {
    const { store, dataDir, vault, contexts } = await filled(1);
    const old = keyOf(dataDir);
    rmSync(path.join(dataDir, "master.key"));
    const put = (name: string, text: string) =>
      writeFileSync(path.join(dataDir, name), text, { mode: 0o600 });
    arrange({ put, old, other: "00112233445566778899aabbccddeeff".repeat(2) });
    const again = await vaultOn(store, dataDir);
    expectAll(store, again, contexts);
    expect(keyOf(dataDir)).toBe(old);
    await again.rotate();
    expect(existsSync(path.join(dataDir, "master.key.next"))).toBe(false);
    expectAll(store, await vaultOn(store, dataDir), contexts);
    vault.close();
  });
});

interface KeyFiles {
  readonly put: (name: string, text: string) => void;
  /** the key that the store names */
  readonly old: string;
  readonly other: string;
}
