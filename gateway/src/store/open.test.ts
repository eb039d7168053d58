import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  copyFileSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import Database from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { connectionOf, openStore } from "./open.ts";
import { aCredential, temporaryDirectory, temporaryStore } from "./testing.ts";

async function closedDatabase(): Promise<{ dataDir: string; file: string }> {
  const dataDir = temporaryDirectory();
  const store = await openStore({ dataDir });
  for (let n = 0; n < 50; n++) store.meta.set(`key-${n}`, "x".repeat(500));
  store.close();
  return { dataDir, file: path.join(dataDir, "gateway.db") };
}

function mode(file: string): string {
  return (statSync(file).mode & 0o777).toString(8);
}

describe("a first start", () => {
  test("makes the directory and the files readable by their owner only", async () => {
    const dataDir = path.join(temporaryDirectory(), "a", "b");
    await temporaryStore({ dataDir });
    expect(mode(dataDir)).toBe("700");
    for (const name of ["gateway.db", "gateway.db-wal", "gateway.db-shm", "gateway.lock"]) {
      expect([name, mode(path.join(dataDir, name))]).toEqual([name, "600"]);
    }
  });

  test("goes on after one that was interrupted", async () => {
    const dataDir = temporaryDirectory();
    writeFileSync(path.join(dataDir, "gateway.db.new"), "half a database", { mode: 0o600 });
    const store = await temporaryStore({ dataDir });
    expect(store.agents.list()).toEqual([]);
  });

  test("sets what the database promises", async () => {
    const { db } = connectionOf(await temporaryStore());
    const pragma = (name: string) => db.pragma(name, { simple: true });
    expect(["journal_mode", "synchronous", "foreign_keys", "wal_autocheckpoint"].map(pragma)).toEqual([
      "wal",
      1,
      1,
      0,
    ]);
    expect(["trusted_schema", "secure_delete", "busy_timeout"].map(pragma)).toEqual([0, 1, 5000]);
  });

  test("waits for the disk at each commit when asked to", async () => {
    const { db } = connectionOf(await temporaryStore({ auditSync: "full" }));
    expect(db.pragma("synchronous", { simple: true })).toBe(2);
  });
});

describe("a later start", () => {
  test("finds what was stored", async () => {
    const { dataDir } = await closedDatabase();
    const store = await temporaryStore({ dataDir });
    expect(store.meta.get("key-7")).toBe("x".repeat(500));
    expect(store.meta.get("key-99")).toBeUndefined();
  });

  test("leaves no log behind when it ends", async () => {
    const { file } = await closedDatabase();
    expect(statSync(`${file}-wal`, { throwIfNoEntry: false })).toBeUndefined();
  });

  test("is refused while another gateway runs on the directory", async () => {
    const dataDir = temporaryDirectory();
    await temporaryStore({ dataDir });
    await expect(openStore({ dataDir })).rejects.toMatchObject({
      code: "locked",
      message: /another gateway/,
    });
  });

  test("is possible right after the other gateway was killed", async () => {
    const { dataDir } = await closedDatabase();
    const program = `
      import { openStore } from ${JSON.stringify(path.join(import.meta.dirname, "open.ts"))};
      const store = await openStore({ dataDir: ${JSON.stringify(dataDir)} });
      store.meta.set("written", "yes");
      console.log("open");
      setInterval(() => {}, 1000);`;
    const flags = ["--conditions=source", "--input-type=module-typescript", "-e", program];
    const child = spawn(process.execPath, flags, { stdio: ["ignore", "pipe", "inherit"] });
    await once(child.stdout, "data");
    await expect(openStore({ dataDir })).rejects.toMatchObject({ code: "locked" });
    child.kill("SIGKILL");
    await once(child, "exit");
    const store = await temporaryStore({ dataDir });
    expect(store.meta.get("written")).toBe("yes");
  });

  test("takes less than 30 ms", async () => {
    const { dataDir } = await closedDatabase();
    const times: number[] = [];
    for (let n = 0; n < 5; n++) {
      const before = performance.now();
      const store = await openStore({ dataDir });
      times.push(performance.now() - before);
      store.close();
    }
    // The best of five: a busy machine must not fail the build.
    expect(Math.min(...times)).toBeLessThan(30);
  });
});

describe.skipIf(process.platform === "win32")("a data directory that others can reach", () => {
  test.each([
    ["gateway.db", 0o640, "600"],
    ["gateway.db", 0o604, "600"],
    ["gateway.lock", 0o660, "600"],
    [".", 0o750, "700"],
    [".", 0o701, "700"],
  ])("is refused when %s has mode %o, with the command to run", async (name, bits, wanted) => {
    const { dataDir } = await closedDatabase();
    const target = path.join(dataDir, name);
    chmodSync(target, bits);
    const command = `chmod ${wanted} ${target}`;
    await expect(openStore({ dataDir })).rejects.toMatchObject({
      code: "permissions",
      message: expect.stringContaining(command) as string,
    });
  });

  test("is refused when it is a link", async () => {
    const { dataDir } = await closedDatabase();
    const link = path.join(temporaryDirectory(), "link");
    symlinkSync(dataDir, link);
    await expect(openStore({ dataDir: link })).rejects.toMatchObject({ code: "permissions" });
  });

  test.each(["gateway.db", "gateway.db-wal", "gateway.lock"])(
    "is refused when %s is a link",
    async (name) => {
      const { dataDir } = await closedDatabase();
      const elsewhere = path.join(temporaryDirectory(), "file");
      writeFileSync(elsewhere, "", { mode: 0o600 });
      rmSync(path.join(dataDir, name), { force: true });
      symlinkSync(elsewhere, path.join(dataDir, name));
      await expect(openStore({ dataDir })).rejects.toMatchObject({ code: "permissions" });
      expect(readFileSync(elsewhere, "utf8")).toBe("");
    },
  );
});

describe("a file that is not our whole database", () => {
  const cases: [string, (file: string) => void, string][] = [
    ["is empty", (file) => truncateSync(file, 0), "not_a_database"],
    ["is another kind of file", (file) => writeFileSync(file, "hello ".repeat(1000)), "not_a_database"],
    ["lost its end", (file) => truncateSync(file, 8192), "corrupt"],
    ["lost the middle of a page", (file) => truncateSync(file, statSync(file).size - 100), "corrupt"],
    [
      "is another program's",
      (file) => withDatabase(file, (db) => db.pragma("application_id = 7")),
      "not_a_database",
    ],
    [
      "is of a newer version",
      (file) => withDatabase(file, (db) => db.pragma("user_version = 99")),
      "newer_version",
    ],
  ];
  test.each(cases)("is refused and left as it is when it %s", async (_, damage, code) => {
    const { dataDir, file } = await closedDatabase();
    damage(file);
    const before = readFileSync(file);
    await expect(openStore({ dataDir })).rejects.toMatchObject({ name: "StoreError", code });
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  test("is refused when only its log is left", async () => {
    const { dataDir, file } = await closedDatabase();
    rmSync(file);
    writeFileSync(`${file}-wal`, "something", { mode: 0o600 });
    await expect(openStore({ dataDir })).rejects.toMatchObject({ code: "corrupt" });
    expect(readFileSync(`${file}-wal`, "utf8")).toBe("something");
  });

  test("is found damaged after a kill", async () => {
    const { dataDir, file } = await closedDatabase();
    const copy = temporaryDirectory();
    const store = await openStore({ dataDir });
    store.meta.set("last", "words");
    for (const name of ["gateway.db", "gateway.db-wal"])
      copyFileSync(path.join(dataDir, name), path.join(copy, name));
    store.close();
    const bytes = readFileSync(file);
    bytes.fill(0xff, 4096 * 2, 4096 * 3);
    writeFileSync(path.join(copy, "gateway.db"), bytes, { mode: 0o600 });
    await expect(openStore({ dataDir: copy })).rejects.toMatchObject({ code: "corrupt" });
  });
});

describe("migrations", () => {
  test("are all undone when one of them fails", async () => {
    const { dataDir, file } = await closedDatabase();
    const { released } = await import("./migrate.ts");
    const broken = {
      up: async (db: Parameters<(typeof released)[string]["up"]>[0]) => {
        await db.schema.createTable("half").addColumn("id", "integer").execute();
        throw new Error("no");
      },
    };
    const migrations = { ...released, "0002_broken": broken };
    await expect(openStore({ dataDir, migrations })).rejects.toMatchObject({ code: "migration_failed" });
    const store = await temporaryStore({ dataDir });
    expect(store.meta.get("key-1")).toBeDefined();
    withDatabase(file, (db) => {
      expect(db.prepare("SELECT name FROM sqlite_schema WHERE name = 'half'").get()).toBeUndefined();
    });
  });

  test("bring an older database up to date and keep its rows", async () => {
    const { dataDir } = await closedDatabase();
    const { released } = await import("./migrate.ts");
    const next = {
      up: (db: Parameters<(typeof released)[string]["up"]>[0]) =>
        db.schema.createTable("extra").addColumn("id", "integer").execute(),
    };
    const store = await temporaryStore({ dataDir, migrations: { ...released, "0002_next": next } });
    expect(store.meta.get("key-1")).toBeDefined();
    expect(connectionOf(store).db.pragma("user_version", { simple: true })).toBe(2);
  });
});

describe("a deleted secret", () => {
  test("leaves no trace in the files once the log was cut", async () => {
    const dataDir = temporaryDirectory();
    const store = await openStore({ dataDir });
    const marker = "CIPHERTEXT-MARKER";
    store.secrets.insert(aCredential(), Buffer.from(marker.repeat(50)));
    const found = () =>
      ["gateway.db", "gateway.db-wal"].filter((name) =>
        readFileSync(path.join(dataDir, name)).includes(marker),
      );
    expect(found()).toEqual(["gateway.db-wal"]);
    store.secrets.delete("secret-1");
    await expect.poll(found, { timeout: 5000 }).toEqual([]);
    store.close();
  });
});

function withDatabase(file: string, work: (db: Database.Database) => void): void {
  const db = new Database(file);
  work(db);
  db.close();
}
