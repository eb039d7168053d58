// A setting that can't be used stops the start with a sentence that names it, and leaves nothing half-written.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { banner } from "../src/banner.ts";
import { readConfig } from "../src/config.ts";
import { startGateway } from "./support/gateway.ts";

let directory: string;
let taken: net.Server;
beforeAll(async () => {
  directory = mkdtempSync(path.join(os.tmpdir(), "onecli-settings-"));
  writeFileSync(path.join(directory, "rubbish"), "no certificate, no key, no socket");
  taken = net.createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
});
afterAll(() => {
  taken.close();
  rmSync(directory, { recursive: true, force: true });
});

/** What stopped the start; a gateway that starts after all is stopped. */
async function refusal(env: Record<string, string>): Promise<string> {
  try {
    await (await startGateway({ env })).stop();
    return "started";
  } catch (error) {
    return error instanceof Error ? error.message : "no error";
  }
}

describe("a setting that can't be used", () => {
  test.each([
    ["ONECLI_PORT", "abc"],
    ["ONECLI_PORT", "99999"],
    ["ONECLI_BIND_HOST", "203.0.113.1"],
    ["ONECLI_BIND_HOST", "no.such.name.invalid"],
    ["ONECLI_ADMIN_PORT", "-2"],
    ["ONECLI_ALLOW_PORTS", "x"],
    ["ONECLI_ALLOW_PORTS", "443,70000"],
    ["ONECLI_ALLOW_PRIVATE", "zzz/99"],
    ["ONECLI_ALLOWED_HOSTS", "http://gateway"],
    ["ONECLI_ALLOWED_HOSTS", "gateway:10254"],
    ["ONECLI_NO_PROXY", "a b"],
    ["ONECLI_NO_PROXY", "http://internal"],
    ["ONECLI_RESOLVE", "api.example.com"],
    ["ONECLI_PROXY_HOST", "a b"],
    ["ONECLI_DEFAULT_ACTION", "maybe"],
    ["ONECLI_APPROVAL_TIMEOUT", "0"],
    ["ONECLI_AUDIT_RETENTION", "-1"],
    ["ONECLI_AUDIT_RETENTION", "a week"],
    ["ONECLI_AUDIT_SYNC", "none"],
    ["ONECLI_MASTER_KEY", "short"],
    ["ONECLI_MASTER_KEY_FILE", "/nowhere/key"],
    ["ONECLI_PASSPHRASE", "short"],
    ["ONECLI_API_KEY", "abc"],
    ["ONECLI_EXTRA_CA", "/nowhere/ca.pem"],
    ["ONECLI_DATA_DIR", "/dev/null/data"],
    ["LOG_LEVEL", "loud"],
    ["DATABASE_URL", "postgres://localhost/onecli"],
  ])("stops the start and is named: %s=%s", async (name, value) => {
    expect((await refusal({ [name]: value })).split("\n")[0]).toMatch(new RegExp(`^${name}\\b`));
  });

  test("is named with all others of its kind", async () => {
    const told = await refusal({ ONECLI_PORT: "abc", LOG_LEVEL: "loud" });
    expect(told).toMatch(/^ONECLI_PORT: .*\nLOG_LEVEL: /);
  });

  test("never has its value told when it is a key", async () => {
    for (const name of ["ONECLI_MASTER_KEY", "ONECLI_PASSPHRASE", "ONECLI_API_KEY"]) {
      expect(await refusal({ [name]: "q9Zx" })).not.toContain("q9Zx");
    }
  });

  test("is one that names a file which holds something else", async () => {
    const rubbish = path.join(directory, "rubbish");
    expect(await refusal({ ONECLI_EXTRA_CA: rubbish })).toMatch(/^ONECLI_EXTRA_CA: /);
    expect(await refusal({ ONECLI_SOCKET: rubbish })).toMatch(/^ONECLI_SOCKET: /);
  });

  test("is a port that another program has, on either door", async () => {
    const port = String((taken.address() as net.AddressInfo).port);
    expect(await refusal({ ONECLI_PORT: port })).toMatch(/^ONECLI_PORT: .*in use/);
    expect(await refusal({ ONECLI_ADMIN_PORT: port })).toMatch(/^ONECLI_ADMIN_PORT: .*in use/);
  });

  test("leaves no data directory behind where it could not be read", async () => {
    const dataDir = path.join(directory, "never-made");
    await refusal({ ONECLI_DATA_DIR: dataDir, ONECLI_RESOLVE: "rubbish" });
    expect(existsSync(dataDir)).toBe(false);
  });
});

describe("settings in use", () => {
  test.each([
    ["ONECLI_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1],gateway"],
    ["ONECLI_NO_PROXY", ".internal, 10.0.0.0/8,[fd00::1],*"],
    ["ONECLI_NO_PROXY", ""],
    ["ONECLI_AUDIT_RETENTION", "0.5"],
  ])("start the gateway: %s=%s", async (name, value) => {
    expect(await refusal({ [name]: value })).toBe("started");
  });
});

describe("what the start prints", () => {
  const place = { adminPort: 1, port: 1, version: "0", isNew: false, addresses: () => [] };
  const printed = (credentialsFile: string): string =>
    banner({ ...place, stop: () => Promise.resolve() } as never, {
      ...readConfig({ HOME: directory }),
      credentialsFile,
    });

  test("says where the admin key lies only if it lies there", () => {
    const there = path.join(directory, "rubbish");
    expect(printed(there)).toContain(`in ${there} (`);
    const gone = path.join(directory, "gone");
    expect(printed(gone)).toContain(`not in ${gone}; a start with ONECLI_API_KEY=`);
  });
});
