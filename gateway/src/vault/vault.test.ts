import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { openStore } from "../store/open.ts";
import { loadKek } from "./key-source.ts";
import { eraseKeyring, openKeyring } from "./keyring.ts";
import { Secret } from "./secret.ts";
import type { Store } from "../store/store.ts";
import { aCredential, temporaryDirectory, temporaryStore } from "../store/testing.ts";
import { NOW, dump, keep, reveal, secretContext, stored, vaultOn } from "./testing.ts";
import { openVault } from "./vault.ts";

const HEX = "00112233445566778899aabbccddeeff".repeat(2);
const clock = () => NOW;
const coded = (code: string) => expect.objectContaining({ name: "VaultError", code });

async function started() {
  const [store, dataDir] = [await temporaryStore(), temporaryDirectory()];
  return { store, dataDir, vault: await vaultOn(store, dataDir) };
}

describe("the first start", () => {
  test("makes one active data key, one root key and a key file of mode 0600", async () => {
    const { store, dataDir } = await started();
    const file = path.join(dataDir, "master.key");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, "utf8")).toMatch(/^[0-9a-f]{64}\n$/);
    expect(store.keys.list().map(({ state }) => state)).toEqual(["active", "active"]);
    expect(store.keys.list().filter(({ id }) => id.startsWith("root-"))).toHaveLength(1);
  });

  test("uses a key file that is there and holds nothing else", async () => {
    const dataDir = temporaryDirectory();
    writeFileSync(path.join(dataDir, "master.key"), HEX, { mode: 0o600 });
    await vaultOn(await temporaryStore(), dataDir);
    expect(readFileSync(path.join(dataDir, "master.key"), "utf8")).toBe(HEX);
  });

  test("refuses sealed values without keys, and makes no key file", async () => {
    const [store, dataDir] = [await temporaryStore(), temporaryDirectory()];
    store.secrets.insert(aCredential(), new Uint8Array(60));
    await expect(vaultOn(store, dataDir)).rejects.toThrow(coded("cannot_open"));
    expect(existsSync(path.join(dataDir, "master.key"))).toBe(false);
  });
});

describe("a later start", () => {
  test("opens what was sealed before and derives the same", async () => {
    const { store, dataDir, vault } = await started();
    const context = keep(store, vault, "real-value");
    const again = await vaultOn(store, dataDir);
    expect(reveal(store, again, context)).toBe("real-value");
    expect(again.activeKeyId).toBe(vault.activeKeyId);
    expect(again.derive("fake-keys")).toEqual(vault.derive("fake-keys"));
  });

  test("refuses when the key file is missing, and makes no new one", async () => {
    const { store, dataDir } = await started();
    const before = dump(store);
    rmSync(path.join(dataDir, "master.key"));
    await expect(vaultOn(store, dataDir)).rejects.toThrow(coded("key_missing"));
    expect(existsSync(path.join(dataDir, "master.key"))).toBe(false);
    expect(dump(store)).toBe(before);
  });

  test.each([
    ["another key file", (dataDir: string) => (write(dataDir), {})],
    ["another master key", () => ({ masterKey: HEX })],
    ["another key's file", (dataDir: string) => ({ masterKeyFile: write(dataDir, "other.key") })],
    ["a passphrase instead of its key", () => ({ passphrase: "correct horse battery staple" })],
  ])("refuses %s and changes nothing", async (_, wrong) => {
    const { store, dataDir } = await started();
    const before = dump(store);
    const opening = openVault({ store, kek: { ...wrong(dataDir), dataDir }, clock });
    await expect(opening).rejects.toThrow(coded("wrong_key"));
    await expect(opening).rejects.toThrow(/Nothing was changed/);
    await expect(opening).rejects.not.toThrow(new RegExp(HEX, "i"));
    expect(dump(store)).toBe(before);
  });

  test("with a wrong key leaves every byte of the database as it was", async () => {
    const [storeDir, dataDir] = [temporaryDirectory(), temporaryDirectory()];
    const first = await openStore({ dataDir: storeDir });
    keep(first, await vaultOn(first, dataDir), "value");
    first.close();
    const bytes = () => readFileSync(path.join(storeDir, "gateway.db"));
    const before = bytes();
    const second = await openStore({ dataDir: storeDir });
    const wrong = openVault({ store: second, kek: { masterKey: HEX, dataDir }, clock });
    await expect(wrong).rejects.toThrow(coded("wrong_key"));
    second.close();
    expect(bytes().equals(before)).toBe(true);
  });

  test.each<[string, (store: Store) => void]>([
    ["whose bytes changed", (store) => store.keys.update(dek(store).id, { wrapped: new Uint8Array(73) })],
    ["that is cut off", (store) => store.keys.update(dek(store).id, { wrapped: new Uint8Array(0) })],
    ["under another key's id", (store) => store.keys.update(dek(store).id, { wrapped: root(store).wrapped })],
    ["that names another key-encryption key", (store) => store.keys.update(dek(store).id, { kekId: "0" })],
    [
      "that is the only one and deactivated",
      (store) => store.keys.update(dek(store).id, { state: "deactivated" }),
    ],
    ["beside a missing root key", (store) => store.keys.delete(root(store).id)],
    ["beside a second active one", (store) => store.keys.insert({ ...dek(store), id: "other" })],
  ])("refuses a wrapped key %s", async (_, damage) => {
    const { store, dataDir } = await started();
    await vaultOn(store, dataDir);
    damage(store);
    await expect(vaultOn(store, dataDir)).rejects.toThrow(coded("cannot_open"));
  });
});

describe("a passphrase", () => {
  const passphrase = "correct horse battery staple";

  test("opens what it sealed, composed or decomposed, and another one does not", async () => {
    const [store, dataDir] = [await temporaryStore(), temporaryDirectory()];
    const first = await openVault({ store, kek: { passphrase: `${passphrase} \u00e9`, dataDir }, clock });
    const context = keep(store, first, "value");
    const again = await openVault({ store, kek: { passphrase: `${passphrase} e\u0301`, dataDir }, clock });
    expect(reveal(store, again, context)).toBe("value");
    const before = dump(store);
    const wrong = openVault({ store, kek: { passphrase: `${passphrase}!`, dataDir }, clock });
    await expect(wrong).rejects.toThrow(coded("wrong_key"));
    expect(dump(store)).toBe(before);
    expect(before).not.toContain("horse");
    expect(existsSync(path.join(dataDir, "master.key"))).toBe(false);
  });

  test("refuses a stored cost below the one that it would choose", async () => {
    const [store, dataDir] = [await temporaryStore(), temporaryDirectory()];
    await openVault({ store, kek: { passphrase, dataDir }, clock });
    store.meta.set("vault.passphrase", store.meta.get("vault.passphrase")!.replace("65536", "8"));
    const opening = openVault({ store, kek: { passphrase, dataDir }, clock });
    await expect(opening).rejects.toThrow(coded("cannot_open"));
  });

  test("does not use a salt that was planted before the first start", async () => {
    const [store, dataDir] = [await temporaryStore(), temporaryDirectory()];
    const salt = "0".repeat(32);
    store.meta.set("vault.passphrase", JSON.stringify({ algorithm: "argon2id", salt }));
    await openVault({ store, kek: { passphrase, dataDir }, clock });
    expect(store.meta.get("vault.passphrase")).not.toContain(salt);
  });
});

describe("an open vault", () => {
  test("does not open a value of an unknown key, of another vault or of no format", async () => {
    const [one, other] = [await started(), await started()];
    const context = secretContext();
    const sealed = one.vault.seal(context, Secret.of("value"));
    for (const wrong of [
      other.vault.seal(context, Secret.of("value")),
      new Uint8Array(0),
      sealed.subarray(1),
    ]) {
      expect(() => one.vault.open(context, wrong)).toThrow(coded("cannot_open"));
    }
    expect(one.vault.open(context, sealed).reveal()).toBe("value");
  });

  test("derives 32 bytes that differ by purpose and by installation", async () => {
    const [one, other] = [await started(), await started()];
    expect(one.vault.derive("a")).toHaveLength(32);
    expect(one.vault.derive("a")).not.toEqual(one.vault.derive("b"));
    expect(one.vault.derive("a")).not.toEqual(other.vault.derive("a"));
  });

  test("leaves neither plaintext nor keys in the store", async () => {
    const { store, dataDir, vault } = await started();
    const context = keep(store, vault, "plain-value");
    const bytes = Buffer.from(stored(store, context)).toString("latin1");
    expect(bytes).not.toContain("plain-value");
    const key = readFileSync(path.join(dataDir, "master.key"), "utf8").trim();
    expect(dump(store)).not.toContain(key.slice(0, 16));
  });

  test("refuses every call once it is closed", async () => {
    const { store, vault } = await started();
    const context = keep(store, vault, "value");
    vault.close();
    expect(() => reveal(store, vault, context)).toThrow(coded("closed"));
    expect(() => vault.seal(context, Secret.of("x"))).toThrow(coded("closed"));
    expect(() => vault.derive("x")).toThrow(coded("closed"));
    expect(() => vault.activeKeyId).toThrow(coded("closed"));
    await expect(vault.rotate()).rejects.toThrow(coded("closed"));
  });
});

describe("an erased keyring", () => {
  test("holds zeroes where its keys were", async () => {
    const { store, dataDir } = await started();
    const keyring = openKeyring(store, await loadKek({ dataDir }, store));
    const keys = [keyring.kek.bytes, keyring.root.bytes, keyring.active.bytes];
    expect(keys.map(isZero)).toEqual([false, false, false]);
    eraseKeyring(keyring);
    expect(keys.map(isZero)).toEqual([true, true, true]);
  });
});

function isZero(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0);
}

function write(dataDir: string, name = "master.key"): string {
  const file = path.join(dataDir, name);
  writeFileSync(file, HEX, { mode: 0o600 });
  return file;
}

function dek(store: Store) {
  return store.keys.list().find(({ id }) => !id.startsWith("root-"))!;
}

function root(store: Store) {
  return store.keys.list().find(({ id }) => id.startsWith("root-"))!;
}
