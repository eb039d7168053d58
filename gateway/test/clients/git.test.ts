// Git over the smart HTTP protocol: the agent's git knows no password, the server insists on one.
import { randomBytes, randomUUID } from "node:crypto";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { type GitOrigin, startGitOrigin } from "./git-origin.ts";
import {
  type Environment,
  run,
  throughOnecli,
  wiredEnvironment,
  withoutTrust,
  withWrongToken,
} from "./programs.ts";

const HOST = "git.demo.test";
const URL = `https://${HOST}/project.git`;
const PASSWORD = `real-password-${randomUUID()}`;
const identity = ["-c", "user.name=Agent", "-c", "user.email=agent@demo.test"];
const installed = spawnSync("git", ["--version"]).status === 0;
if (!installed) console.log("skipped: git is not installed");

test("git is there where changes are decided about", () => {
  expect(installed || process.env["CI"] !== "true").toBe(true);
});

describe.runIf(installed)("git behind the gateway", () => {
  let origin: GitOrigin;
  let gateway: TestGateway;
  let env: Environment;
  let directory: string;

  beforeAll(async () => {
    origin = await startGitOrigin({ host: HOST, username: "x-access-token", password: PASSWORD });
    gateway = await startGateway({ origins: { [HOST]: { port: origin.port, ca: origin.ca } } });
    await gateway.agent("coder");
    await gateway.agent("stranger");
    const stranger = (await gateway.api("GET", "/v1/agents")).body as { id: string; identifier: string }[];
    const { id } = stranger.find(({ identifier }) => identifier === "stranger") ?? { id: "" };
    await gateway.api("PATCH", `/v1/agents/${id}/secret-mode`, { mode: "selective" });
    await gateway.secret({
      name: "Git password",
      type: "generic",
      value: PASSWORD,
      hostPattern: HOST,
      injectionConfig: { basic: { username: "x-access-token" } },
    });
    env = await wiredEnvironment(gateway, "coder");
  });
  afterAll(async () => {
    await gateway?.stop();
    await origin?.close();
  });
  beforeEach(() => {
    directory = mkdtempSync(path.join(gateway.dataDir, "work-"));
  });

  const git = (args: readonly string[], cwd = directory, environment = env) =>
    run(["git", ...identity, ...args], environment, { cwd });

  async function callsOnRecord() {
    const rows = await gateway.audit();
    return rows
      .filter(({ type }) => type === "open")
      .map(({ method, path }) => `${String(method)} ${String(path)}`);
  }

  test("clones, with every call on record", async () => {
    const before = (await callsOnRecord()).length;
    const ran = await git(["clone", "-q", URL, "copy"]);
    expect(ran).toMatchObject({ code: 0, stderr: "" });
    expect(readFileSync(path.join(directory, "copy", "README"), "utf8")).toBe("A project.\n");
    const [first, ...rest] = (await callsOnRecord()).slice(before);
    expect(first).toBe("GET /project.git/info/refs");
    expect(new Set(rest)).toEqual(new Set(["POST /project.git/git-upload-pack"]));
    expect(origin.admitted.length).toBe(before + rest.length + 1);
  });

  test.each([
    ["small", 10],
    ["bigger than git holds at once, sent in chunks", 3_000_000],
  ])("pushes a commit that is %s", async (_, bytes) => {
    await git(["clone", "-q", URL, "copy"]);
    const copy = path.join(directory, "copy");
    const content = randomBytes(bytes);
    const name = `file-${randomUUID()}`;
    writeFileSync(path.join(copy, name), content);
    await git(["add", name], copy);
    await git(["commit", "-q", "-m", `Add ${name}`], copy);
    const pushed = await git(["push", "-q", "origin", "HEAD:main"], copy);
    expect(pushed).toMatchObject({ code: 0 });
    expect(origin.git("log", "-1", "--format=%s", "main").trim()).toBe(`Add ${name}`);
    expect(Number(origin.git("cat-file", "-s", `main:${name}`))).toBe(bytes);
    expect(await callsOnRecord()).toContain("POST /project.git/git-receive-pack");
    expect(JSON.stringify(await gateway.audit())).not.toContain(PASSWORD);
  });

  test("does the same when it is started by onecli run", async () => {
    const cli = throughOnecli(gateway, "coder");
    const ran = await run([...cli.argv, "git", "clone", "-q", URL, "copy"], cli.env, { cwd: directory });
    expect(ran).toMatchObject({ code: 0 });
    expect(readFileSync(path.join(directory, "copy", "README"), "utf8")).toBe("A project.\n");
  });

  test("of an agent without the secret is turned away by the server itself", async () => {
    const before = origin.admitted.length;
    const environment = await wiredEnvironment(gateway, "stranger");
    const ran = await git(["clone", "-q", URL, "copy"], directory, environment);
    expect(ran.code).not.toBe(0);
    expect(ran.stderr).toMatch(/could not read Username|Authentication failed/);
    expect(origin.admitted.length).toBe(before);
  });

  test.each([
    ["with a wrong token", withWrongToken, /407/],
    ["that does not know the gateway's CA", withoutTrust, /certificate/],
  ])("%s reaches nothing", async (_, change, reason) => {
    const before = origin.admitted.length;
    const ran = await git(["clone", "-q", URL, "copy"], directory, change(env));
    expect(ran.code).not.toBe(0);
    expect(ran.stderr).toMatch(reason);
    expect(origin.admitted.length).toBe(before);
  });

  test("may read and not write where a rule blocks pushes", async () => {
    const blocked = await gateway.rule({
      name: "No pushes",
      hostPattern: HOST,
      pathPattern: "/project.git/git-receive-pack",
      action: "block",
    });
    const ran = await git(["clone", "-q", URL, "copy"]);
    expect(ran.code).toBe(0);
    const copy = path.join(directory, "copy");
    await git(["commit", "-q", "--allow-empty", "-m", "Never arrives"], copy);
    const pushed = await git(["push", "-q", "origin", "HEAD:main"], copy);
    expect(pushed.code).not.toBe(0);
    expect(pushed.stderr).toMatch(/403/);
    expect(origin.git("log", "-1", "--format=%s", "main")).not.toContain("Never arrives");
    await gateway.api("DELETE", `/v1/rules/${blocked.id}`);
  });
});
