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
    stdio: ["ignore", "pipe", "ignore", "ipc"],
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

const run = async (id: string) => {
  const row = allRows.find((candidate) => candidate.id === id);
  if (row === undefined) throw new Error(`there is no row ${id}`);
  return await row.run(world);
};

describe("http-mitm-proxy", () => {
  test.each([
    ["01.1", "forwards to the inner Host whatever the tunnel was opened to"],
    ["01.5", "opens tunnels for a CONNECT whose Host is another"],
    ["02.4", "forwards dot segments as they are"],
    ["03.2", "takes another host from an absolute form in a tunnel"],
    ["06.3", "forwards fields that Connection names"],
    ["06.5", "forwards trailers"],
    ["07.3", "upgrades by POST"],
    ["09.1", "gives the value back in bodies"],
    ["09.3", "gives the value back in error pages"],
    ["10.4", "opens tunnels to what is no host and port"],
    ["11.1", "connects to this machine's loopback address"],
    ["13.1", "places the secret in cleartext"],
    ["14.1", "opens tunnels to any port"],
  ])("fails %s: it %s", async (id) => {
    const verdict = await run(id);
    expect(verdict, verdict.evidence).toMatchObject({ outcome: "failed" });
  });

  test.each([
    ["02.5", "leaves the query alone"],
    ["08.2", "places the secret on its own host only"],
    ["10.3", "asks the origin for the name of the tunnel"],
  ])("passes %s: it %s", async (id) => {
    const verdict = await run(id);
    expect(verdict, verdict.evidence).toMatchObject({ outcome: "passed" });
  });

  test.each(["02.1", "12.1", "19.1"])(
    "can't be judged by %s, which needs rules or secrets of ours",
    async (id) => {
      expect(await run(id)).toMatchObject({ outcome: "not applicable" });
    },
  );
});
