import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { hashToken } from "../agents/token.ts";
import { type AdminKeyParts, ensureAdminKey } from "./admin-key.ts";
import { makeApiKey } from "./api-key.ts";
import { startGateway, type TestGateway } from "./test-gateway.ts";

/** A gateway without keys, and a place for the file. */
async function start() {
  const gateway = await startGateway();
  for (const { id } of gateway.store.apiKeys.list()) gateway.store.apiKeys.delete(id);
  const credentialsFile = path.join(gateway.dataDir, "credentials", "api-key");
  const { store, audit, clock } = gateway.parts;
  return { gateway, parts: { store, audit, clock, credentialsFile } satisfies AdminKeyParts };
}

function writeKey(file: string, text: string, mode = 0o600): void {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(file, text, { mode });
  chmodSync(file, mode);
}

const hashes = ({ store }: TestGateway) => store.apiKeys.list().map(({ hash, role }) => `${role} ${hash}`);

describe("the first start", () => {
  test("makes an admin key, keeps its hash and leaves the key where only its user reads it", async () => {
    const { gateway, parts } = await start();
    await using _ = gateway;
    expect(ensureAdminKey(parts)).toBe("created");
    const key = readFileSync(parts.credentialsFile, "utf8").trim();
    expect(key).toMatch(/^oc_[0-9a-f]{64}$/);
    expect(hashes(gateway)).toEqual([`admin ${hashToken(key)}`]);
    expect(statSync(parts.credentialsFile).mode & 0o777).toBe(0o600);
    expect(statSync(path.dirname(parts.credentialsFile)).mode & 0o777).toBe(0o700);
    expect(readdirSync(path.dirname(parts.credentialsFile))).toEqual(["api-key"]);
    expect((await gateway.call("GET /v1/user", { key })).body.role).toBe("admin");
    expect(JSON.stringify(gateway.events)).not.toContain(key);
  });

  test("makes one once", async () => {
    const { gateway, parts } = await start();
    await using _ = gateway;
    ensureAdminKey(parts);
    expect(ensureAdminKey(parts)).toBe("present");
    expect(gateway.events.map(({ action }) => action)).toEqual(["api_key.created"]);
  });

  test("takes the key that its user has already, and leaves the file as it is", async () => {
    const { gateway, parts } = await start();
    await using _ = gateway;
    const key = makeApiKey();
    writeKey(parts.credentialsFile, `${key}\n`);
    expect(ensureAdminKey(parts)).toBe("adopted");
    expect(hashes(gateway)).toEqual([`admin ${hashToken(key)}`]);
    expect(readFileSync(parts.credentialsFile, "utf8")).toBe(`${key}\n`);
  });

  test.each([
    ["others can read", (file: string) => writeKey(file, makeApiKey(), 0o644)],
    ["holds something else", (file: string) => writeKey(file, "something else")],
    [
      "is a symbolic link",
      (file: string) => {
        writeKey(`${file}.target`, makeApiKey());
        symlinkSync(`${file}.target`, file);
      },
    ],
  ])("refuses a file that %s, naming it and not what it holds", async (_, prepare) => {
    const { gateway, parts } = await start();
    await using __ = gateway;
    prepare(parts.credentialsFile);
    expect(() => ensureAdminKey(parts)).toThrow(parts.credentialsFile);
    expect(() => ensureAdminKey(parts)).not.toThrow(/something else|oc_[0-9a-f]/);
    expect(hashes(gateway)).toEqual([]);
  });

  test("keeps no key when that can't be recorded", async () => {
    const { gateway, parts } = await start();
    await using _ = gateway;
    gateway.state.auditFails = true;
    expect(() => ensureAdminKey(parts)).toThrow();
    expect(hashes(gateway)).toEqual([]);
    gateway.state.auditFails = false;
    expect(ensureAdminKey(parts)).toBe("adopted");
  });
});

describe("a key from the environment", () => {
  test("opens the gateway and is written nowhere", async () => {
    const { gateway, parts } = await start();
    await using _ = gateway;
    const fromEnvironment = makeApiKey();
    expect(ensureAdminKey({ ...parts, fromEnvironment })).toBe("environment");
    expect(ensureAdminKey({ ...parts, fromEnvironment })).toBe("present");
    expect(hashes(gateway)).toEqual([`admin ${hashToken(fromEnvironment)}`]);
    expect(existsSync(parts.credentialsFile)).toBe(false);
  });

  test.each(["short", "oc_", `oc_${"g".repeat(64)}`, `oc_${"a".repeat(63)}`])(
    "of another form is refused without showing it: %s",
    async (fromEnvironment) => {
      const { gateway, parts } = await start();
      await using _ = gateway;
      const attempt = () => ensureAdminKey({ ...parts, fromEnvironment });
      expect(attempt).toThrow("ONECLI_API_KEY must hold a key of the form");
      expect(hashes(gateway)).toEqual([]);
    },
  );

  test("does not raise the role of a key that is there", async () => {
    const { gateway, parts } = await start();
    await using _ = gateway;
    ensureAdminKey(parts);
    const admin = readFileSync(parts.credentialsFile, "utf8").trim();
    const reader = (
      await gateway.call("POST /v1/api-keys", { key: admin, body: { name: "R", role: "read" } })
    ).body;
    expect(() => ensureAdminKey({ ...parts, fromEnvironment: reader.apiKey })).toThrow("role is read");
  });
});
