import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { ready } from "libsodium-wrappers";
import { beforeAll, describe, expect, test } from "vitest";
import { loadKek } from "./key-source.ts";
import { temporaryDirectory, temporaryStore } from "../store/testing.ts";

beforeAll(() => ready);

const HEX = "00112233445566778899aabbccddeeff".repeat(2);
const BASE64 = Buffer.from(HEX, "hex").toString("base64");
const refused = expect.objectContaining({ code: "key_refused" });
const malformed = expect.objectContaining({ code: "key_malformed" });

async function load(options: object) {
  return loadKek({ dataDir: temporaryDirectory(), ...options }, await temporaryStore());
}

function keyFile(text = HEX, mode = 0o600): string {
  const file = path.join(temporaryDirectory(), "a.key");
  writeFileSync(file, text, { mode });
  chmodSync(file, mode);
  return file;
}

describe("a master key", () => {
  test.each([
    ["hex", HEX],
    ["hex in capitals", HEX.toUpperCase()],
    ["base64", BASE64],
    ["text with a line end", `${HEX}\n`],
  ])("is taken as %s", async (_, masterKey) => {
    expect((await load({ masterKey })).bytes.toString("hex")).toBe(HEX);
  });

  test.each([
    ["nothing", ""],
    ["31 bytes of hex", HEX.slice(2)],
    ["33 bytes of hex", `${HEX}00`],
    ["a letter that is not hex", `g${HEX.slice(1)}`],
    ["base64 without its padding", BASE64.slice(0, -1)],
    ["base64 of 33 bytes", Buffer.alloc(33, "ab").toString("base64")],
    ["one byte 32 times", "00".repeat(32)],
    ["a word", "changeme"],
  ])("is refused as %s, without repeating it", async (_, masterKey) => {
    const loading = load({ masterKey });
    await expect(loading).rejects.toThrow(malformed);
    const message = await loading.catch((error: Error) => error.message);
    if (masterKey.length > 0) expect(message).not.toContain(masterKey);
  });

  test("has an id that is stable and is no part of it", async () => {
    const { id } = await load({ masterKey: HEX });
    expect(id).toMatch(/^[0-9a-f]{16}$/);
    expect(HEX).not.toContain(id);
    expect((await load({ masterKey: BASE64 })).id).toBe(id);
    expect((await load({ masterKey: HEX.replace("00", "01") })).id).not.toBe(id);
  });
});

describe("a key file", () => {
  test.each([0o600, 0o400])("of mode %o is read", async (mode) => {
    expect((await load({ masterKeyFile: keyFile(HEX, mode) })).bytes.toString("hex")).toBe(HEX);
  });

  test.each([0o640, 0o620, 0o604, 0o602, 0o610, 0o644, 0o666])(
    "of mode %o is refused with the command that mends it",
    async (mode) => {
      const file = keyFile(HEX, mode);
      await expect(load({ masterKeyFile: file })).rejects.toThrow(`chmod 600 '${file}'`);
      await expect(load({ masterKeyFile: file })).rejects.toThrow(refused);
    },
  );

  test("behind a symbolic link is refused", async () => {
    const link = path.join(temporaryDirectory(), "link");
    symlinkSync(keyFile(), link);
    await expect(load({ masterKeyFile: link })).rejects.toThrow(/symbolic link/);
  });

  test.runIf(process.getuid?.() === 0)("of another user is refused", async () => {
    const file = keyFile();
    chownSync(file, 12_345, 12_345);
    await expect(load({ masterKeyFile: file })).rejects.toThrow(/another user: chown 0/);
  });

  test.each(["directory", "fifo"])("that is a %s is refused at once", async (kind) => {
    const file = path.join(temporaryDirectory(), kind);
    if (kind === "directory") mkdirSync(file, 0o700);
    else execFileSync("mkfifo", ["-m", "600", file]);
    await expect(load({ masterKeyFile: file })).rejects.toThrow(/not a regular file/);
  });

  test.each([
    ["empty", "", malformed],
    ["cut off", HEX.slice(0, 40), malformed],
    ["as large as a mistake", HEX.repeat(1000), refused],
  ])("that is %s is refused", async (_, text, refusal) => {
    await expect(load({ masterKeyFile: keyFile(text) })).rejects.toThrow(refusal);
  });

  test("that does not exist is refused and not made", async () => {
    const masterKeyFile = path.join(temporaryDirectory(), "none");
    await expect(load({ masterKeyFile })).rejects.toThrow(expect.objectContaining({ code: "key_missing" }));
  });

  test.each(["master.key", "master.key.next"])(
    "%s in the data directory is held to the same",
    async (name) => {
      const dataDir = temporaryDirectory();
      writeFileSync(path.join(dataDir, name), HEX, { mode: 0o600 });
      chmodSync(path.join(dataDir, name), 0o644);
      const store = await temporaryStore();
      if (name !== "master.key") {
        const { id } = await load({ masterKey: HEX });
        store.keys.insert({ id: "k", wrapped: new Uint8Array(), kekId: id, state: "active", createdAt: 0 });
      }
      await expect(loadKek({ dataDir }, store)).rejects.toThrow(refused);
    },
  );
});

describe("a choice of key", () => {
  test.each([
    { masterKey: HEX, passphrase: "correct horse" },
    { masterKey: HEX, masterKeyFile: "/nowhere" },
    { masterKeyFile: "/nowhere", passphrase: "correct horse" },
  ])("between two is refused", async (options) => {
    await expect(load(options)).rejects.toThrow(/set only one of/);
  });

  test("of a passphrase below eight characters is refused", async () => {
    await expect(load({ passphrase: "1234567" })).rejects.toThrow(malformed);
    expect((await load({ passphrase: "12345678" })).bytes).toHaveLength(32);
  });
});
