// The launchers under an old Node: they hand over to the one that npm installed, or say in one sentence what to do.
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { root } from "./support/documents.ts";

const OLD_NODE = "/usr/bin/node";
const [major = 0] =
  spawnSync(OLD_NODE, ["-p", "process.versions.node"], { encoding: "utf8" }).stdout?.split(".").map(Number) ??
  [];
const isOld = major >= 20 && major < 22;
const title = isOld
  ? `Node ${major}`
  : `Node 20 (skipped: ${OLD_NODE} is ${major === 0 ? "not there" : `Node ${major}`})`;
const bundledMajor = Number(process.versions.node.split(".")[0]);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "onecli-launcher-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function start(file: string, ...args: string[]) {
  const options = {
    encoding: "utf8",
    cwd: folder,
    env: { PATH: process.env["PATH"], HOME: folder },
  } as const;
  const { status, stdout, stderr } = spawnSync(OLD_NODE, [file, ...args], options);
  return { status, stdout, stderr };
}

/** The launcher alone, as if npm had installed nothing beside it. */
function alone(file: string): string {
  const copy = path.join(folder, file);
  mkdirSync(path.dirname(copy), { recursive: true });
  copyFileSync(path.join(root, file), copy);
  writeFileSync(path.join(folder, "package.json"), '{"type":"module"}');
  return copy;
}

describe.skipIf(!isOld)(`under ${title}`, () => {
  test("scripts/run.js runs TypeScript by the Node that npm installed, and passes arguments and exit code on", () => {
    const file = path.join(folder, "program.ts");
    const code = `const major: number = Number(process.versions.node.split(".")[0]);\nconsole.log(major, process.argv[2]);\nprocess.exit(7);\n`;
    writeFileSync(file, code);
    const outcome = start(path.join(root, "scripts/run.js"), file, "argument");
    expect(outcome).toEqual({ status: 7, stdout: `${bundledMajor} argument\n`, stderr: "" });
  });

  test("scripts/run.js gives programs that are started by it the same Node", () => {
    const file = path.join(folder, "child.ts");
    writeFileSync(
      file,
      'import { execFileSync } from "node:child_process";\nprocess.stdout.write(execFileSync("node", ["--version"]));\n',
    );
    const { stdout } = start(path.join(root, "scripts/run.js"), file);
    expect(stdout.trim()).toBe(process.version);
  });

  test("scripts/run.js --bin starts an installed program", () => {
    const { status, stdout } = start(path.join(root, "scripts/run.js"), "--bin", "tsc", "--version");
    expect([status, stdout]).toEqual([0, expect.stringMatching(/^Version 7\./)]);
  });

  test("onecli works in the checkout", () => {
    const { status, stdout } = start(path.join(root, "cli/bin/onecli.js"), "version", "--quiet", "version");
    expect([status, stdout]).toEqual([0, expect.stringMatching(/^\d+\.\d+\.\d+\n$/)]);
  });

  test.each([
    ["scripts/run.js", ["program.ts"]],
    ["cli/bin/onecli.js", ["version"]],
  ])("%s without a current Node says in one sentence what to do", (file, args) => {
    const { status, stdout, stderr } = start(alone(file), ...args);
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^onecli needs Node \d+[^\n]* install [^\n]*\n$/);
    expect(stderr).toContain(`this is v${major}.`);
  });
});

describe("the program that started these tests", () => {
  test("is the Node that npm installed, or one that is new enough", () => {
    expect(bundledMajor).toBeGreaterThanOrEqual(24);
  });
});
