// What users do, as transcripts: a command line, then standard output, standard error and the exit code.
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ADMIN_KEY, READ_KEY, type StandIn, startStandIn } from "../../sdk/test/support/stand-in.ts";
import { type Session, startSession } from "./support/session.ts";

const VALUE = "sk-ant-api03-not-a-real-key-1234567890";
let standIn: StandIn;
let user: Session;

beforeEach(async () => {
  standIn = await startStandIn();
  user = startSession({ ONECLI_URL: standIn.url, ONECLI_API_KEY: ADMIN_KEY });
});
afterEach(async () => {
  user.close();
  await standIn.close();
});

/** Somewhere that nobody listens. */
async function closedAddress(): Promise<string> {
  const gone = await startStandIn();
  await gone.close();
  return gone.url;
}

const lastBody = () => standIn.requests.at(-1)?.body;
const writes = () => standIn.requests.filter(({ method }) => method !== "GET");

describe("output", () => {
  test("is JSON with the hint first when it goes to a script", async () => {
    await user.run(["agents", "create", "--name", "Main", "--identifier", "main"]);
    const { stdout, json } = await user.run(["agents", "list"]);
    expect(Object.keys(json)).toEqual(["hint", "data"]);
    expect(json.data[0]).toMatchObject({ name: "Main", identifier: "main" });
    expect(stdout.endsWith("}\n")).toBe(true);
  });

  test("is a table on a terminal", async () => {
    await user.run(["agents", "create", "--name", "Main", "--identifier", "main"]);
    const { stdout } = await user.run(["agents", "list"], { terminal: true });
    expect(stdout).toMatch(/^IDENTIFIER +NAME/);
    expect(stdout).toMatch(/main +Main/);
  });

  test.each([
    ["-o json on a terminal", ["-o", "json"], true, /^\{\n/],
    ["-o table in a script", ["-o", "table"], false, /^IDENTIFIER/],
  ])("is what %s asks for", async (_, flags, terminal, expected) => {
    await user.run(["agents", "create", "--name", "Main", "--identifier", "main"]);
    expect((await user.run(["agents", "list", ...flags], { terminal })).stdout).toMatch(expected);
  });

  test("can be cut to members, to raw lines and to a number of rows", async () => {
    for (const name of ["a", "b", "c"])
      await user.run(["agents", "create", "--name", name, "--identifier", name]);
    expect((await user.run(["agents", "list", "--fields", "name"])).json).toEqual([
      { name: "a" },
      { name: "b" },
      { name: "c" },
    ]);
    expect((await user.run(["agents", "list", "--quiet", "identifier"])).stdout).toBe("a\nb\nc\n");
    const cut = (await user.run(["agents", "list", "--max", "2"])).json;
    expect(cut.data).toHaveLength(2);
    expect(cut["hint"]).toContain("2 of 3 shown");
  });

  test("shows at most 20 rows unless more are asked for", async () => {
    for (let i = 0; i < 21; i += 1) {
      await user.run(["agents", "create", "--name", `n${i}`, "--identifier", `n${i}`]);
    }
    expect((await user.run(["agents", "list"])).json.data).toHaveLength(20);
    expect((await user.run(["agents", "list", "--max", "21"])).json.data).toHaveLength(21);
  });

  test("never lets an agent's text steer the terminal", async () => {
    const hostile = {
      seq: 9,
      type: "exchange",
      at: "2026-01-01T00:00:00.000Z",
      path: "/\u001b[2J\u202e\u009b1m",
    };
    standIn.answers.listAudit = { records: [hostile], nextBefore: null, nextAfter: null };
    for (const form of ["json", "table"]) {
      const { stdout } = await user.run(["audit", "list", "-o", form]);
      expect(stdout).toContain("2J");
      for (const character of ["\u001b", "\u009b", "\u202e"]) expect(stdout).not.toContain(character);
    }
  });
});

describe("an error", () => {
  test.each([
    [401, 2, "AUTH_REQUIRED"],
    [403, 5, "FORBIDDEN"],
    [404, 3, "NOT_FOUND"],
    [409, 4, "CONFLICT"],
    [400, 1, "ERROR"],
    [500, 1, "ERROR"],
  ])("of status %i ends with code %i and is JSON on standard error", async (status, exitCode, code) => {
    standIn.fail = { status, body: '{"error":"said by the gateway"}' };
    const told = await user.run(["agents", "list"]);
    expect(told).toMatchObject({ stdout: "", exitCode });
    expect(told.error).toMatchObject({ error: "said by the gateway", code });
  });

  test("is a sentence with the next step on a terminal", async () => {
    const told = await user.run(["agents", "list"], { terminal: true, env: { ONECLI_API_KEY: "oc_wrong" } });
    expect(told.stderr).toMatch(/^onecli: Unauthorized\n {2}→ .*\n {2}→ onecli auth login\n$/);
    expect(told.exitCode).toBe(2);
  });

  test("says so when no gateway answers", async () => {
    const told = await user.run(["agents", "list"], { env: { ONECLI_URL: await closedAddress() } });
    expect(told.exitCode).toBe(1);
    expect(told.error).toMatchObject({ code: "UNREACHABLE", error: expect.stringContaining("ECONNREFUSED") });
  });

  test.each([
    [["agents", "create", "--name", "x"], "--identifier is missing"],
    [["agents", "rename", "--id", "a1"], "--name is missing"],
    [["agents", "list", "--nonsense"], "unknown option '--nonsense'"],
    [["agents", "nonsense"], "unknown command 'nonsense'"],
    [["nonsense"], "unknown command 'nonsense'"],
    [["agents", "delete", "--id", ".."], '".." is not an id'],
    [["config", "set", "api-host", "localhost"], "is not the address of a gateway"],
    [["config", "get", "colour"], "there is no setting"],
  ])("of usage in %j says %j and reaches no gateway", async (argv, sentence) => {
    const told = await user.run(argv);
    expect(told.exitCode).toBe(1);
    expect(told.error["error"]).toContain(sentence);
    expect(standIn.requests).toEqual([]);
  });
});

describe("help", () => {
  test.each([
    [[]],
    [["--help"]],
    [["agents"]],
    [["agents", "create", "--help"]],
    [["run", "--help"]],
    [["help", "rules"]],
  ])("for %j goes to standard output and ends with 0", async (argv) => {
    const told = await user.run(argv);
    expect(told).toMatchObject({ exitCode: 0, stderr: "" });
    expect(told.stdout).toContain("Usage: onecli");
  });

  test("of every command has an example", async () => {
    for (const noun of [
      "agents",
      "secrets",
      "rules",
      "audit",
      "auth",
      "api-keys",
      "vault",
      "gateway",
      "config",
    ]) {
      const { stdout } = await user.run([noun, "--help"]);
      const commands = stdout.slice(stdout.indexOf("Commands:"));
      const verbs = [...commands.matchAll(/^ {2}([a-z-]+)(?= )(?! \[command)/gm)].map(
        ([, verb]) => verb ?? "",
      );
      expect(verbs.length).toBeGreaterThan(0);
      for (const verb of verbs) {
        expect((await user.run([noun, verb, "--help"])).stdout).toMatch(/Examples:\n {2}\$ .*onecli/);
      }
    }
  });
});

describe("agents", () => {
  test("live from creation to deletion", async () => {
    const { json } = await user.run(["agents", "create", "--name", "Main", "--identifier", "main"]);
    const id = String(json["id"]);
    expect((await user.run(["agents", "get-default"])).exitCode).toBe(3);
    expect((await user.run(["agents", "set-default", "--id", id])).json).toMatchObject({
      id,
      status: "default",
    });
    expect((await user.run(["agents", "get-default"])).json).toMatchObject({ id });
    expect((await user.run(["agents", "rename", "--id", id, "--name", "B"])).json).toMatchObject({
      name: "B",
    });
    expect(
      (await user.run(["agents", "regenerate-token", "--id", id, "--quiet", "accessToken"])).stdout,
    ).toMatch(/^aoc_[0-9a-f]{64}\n$/);
    expect(
      (await user.run(["agents", "set-secrets", "--id", id, "--secret-ids", "s1,s2"])).json,
    ).toMatchObject({
      secret_ids: ["s1", "s2"],
      secret_mode: "selective",
    });
    expect((await user.run(["agents", "secrets", "--id", id])).json.data).toEqual(["s1", "s2"]);
    expect((await user.run(["agents", "set-secret-mode", "--id", id, "--mode", "all"])).exitCode).toBe(0);
    expect((await user.run(["agents", "delete", "--id", id])).json).toMatchObject({ id, status: "deleted" });
    expect((await user.run(["agents", "delete", "--id", id])).exitCode).toBe(3);
  });

  test("of one identifier are made once", async () => {
    const argv = ["agents", "create", "--name", "Main", "--identifier", "main"];
    expect((await user.run(argv)).exitCode).toBe(0);
    expect(await user.run(argv)).toMatchObject({ exitCode: 4, stdout: "" });
  });

  test("are not made with a key that may only look", async () => {
    const env = { ONECLI_API_KEY: READ_KEY };
    expect((await user.run(["agents", "list"], { env })).exitCode).toBe(0);
    expect((await user.run(["agents", "create", "--name", "x", "--identifier", "x"], { env })).exitCode).toBe(
      5,
    );
  });
});

describe("a secret's value", () => {
  const argv = ["secrets", "create", "--name", "Claude", "--type", "anthropic"];

  test.each([
    ["typed at a prompt", [], { typed: VALUE }],
    ["piped in", ["--value-stdin"], { stdin: `${VALUE}\n` }],
  ])("%s is stored without a remark", async (_, flags, situation) => {
    const told = await user.run([...argv, ...flags], situation);
    expect(told).toMatchObject({ exitCode: 0, stderr: "" });
    expect(lastBody()).toEqual({
      name: "Claude",
      type: "anthropic",
      hostPattern: "api.anthropic.com",
      value: VALUE,
    });
    expect(told.stdout).not.toContain(VALUE);
  });

  test("is read from a file", async () => {
    const file = path.join(user.home, "key");
    writeFileSync(file, `${VALUE}\n`);
    expect((await user.run([...argv, "--value-file", file])).exitCode).toBe(0);
    expect(lastBody()).toMatchObject({ value: VALUE });
  });

  test.each([
    ["--value", ["--value", VALUE]],
    ["--json", ["--json", JSON.stringify({ value: VALUE })]],
  ])("on the command line (%s) is stored with a warning that does not repeat it", async (_, flags) => {
    const told = await user.run([...argv, ...flags]);
    expect(told.exitCode).toBe(0);
    expect(told.stderr).toMatch(/^onecli: .*history/);
    expect(told.stderr + told.stdout).not.toContain(VALUE);
    expect(lastBody()).toMatchObject({ value: VALUE });
  });

  test.each([
    ["missing, and nobody to ask", []],
    ["given twice", ["--value", VALUE, "--value-stdin"]],
    ["empty", ["--value-stdin"]],
    ["in a file that is not there", ["--value-file", "/nonexistent"]],
    ["in a --json that is broken", ["--json", `{"value":"${VALUE}"`]],
  ])("%s is an error, and nothing is sent", async (_, flags) => {
    const told = await user.run([...argv, ...flags]);
    expect(told).toMatchObject({ exitCode: 1, stdout: "" });
    expect(told.stderr).not.toContain(VALUE);
    expect(writes()).toEqual([]);
  });

  test("is masked in a dry run, which sends nothing", async () => {
    const told = await user.run([...argv, "--value-stdin", "--dry-run"], { stdin: VALUE });
    expect(told.json).toMatchObject({ dry_run: true, payload: { value: "***", name: "Claude" } });
    expect(told.stdout).not.toContain(VALUE);
    expect(standIn.requests).toEqual([]);
  });
});

describe("where a secret goes", () => {
  const create = (...flags: string[]) =>
    user.run(
      [
        "secrets",
        "create",
        "--name",
        "X",
        "--type",
        "generic",
        "--host-pattern",
        "x.test",
        "--value-stdin",
        ...flags,
      ],
      { stdin: "v" },
    );

  test.each([
    [["--header-name", "x-key"], { headerName: "x-key" }],
    [["--header-name", "a", "--value-format", "B {value}"], { headerName: "a", valueFormat: "B {value}" }],
    [["--param-name", "k", "--param-format", "p{value}"], { paramName: "k", paramFormat: "p{value}" }],
    [["--path-template", "/bot{value}"], { pathTemplate: "/bot{value}" }],
    [["--basic-username", "me"], { basic: { username: "me" } }],
    [["--placeholder", "header,query"], { placeholder: ["header", "query"] }],
    [
      ["--header-name", "a", "--placeholder", "body"],
      [{ headerName: "a" }, { placeholder: ["body"] }],
    ],
  ])("is said by %j", async (flags, injectionConfig) => {
    expect((await create(...flags)).exitCode).toBe(0);
    expect(lastBody()).toMatchObject({ injectionConfig });
  });

  test("and where the tokens are for that it gets", async () => {
    await create("--placeholder", "body", "--issues-tokens-for", "api.test");
    expect(lastBody()).toMatchObject({ issuesTokens: { hostPattern: "api.test" } });
  });

  test.each([
    [["--value-format", "B {value}"], "nothing says where"],
    [["--param-format", "p{value}"], "nothing says where"],
    [["--rotate-command", "pass 'a b'"], "without a shell"],
    [["--rotate-command", "a | b"], "without a shell"],
    [["--rotate-command", "[1]"], "not a JSON array of strings"],
  ])("is refused when said by %j", async (flags, sentence) => {
    const told = await create(...flags);
    expect(told.exitCode).toBe(1);
    expect(told.error["error"]).toContain(sentence);
    expect(writes()).toEqual([]);
  });

  test.each([
    ["vault read -field=key", ["vault", "read", "-field=key"]],
    ['["vault","read","a b"]', ["vault", "read", "a b"]],
  ])("and the command that renews it: %s", async (flag, command) => {
    await create(
      "--rotate-every",
      "30d",
      "--rotate-command",
      flag,
      "--env-name",
      "X_KEY",
      "--method",
      "get,post",
    );
    expect(lastBody()).toMatchObject({
      rotation: { rotateEvery: "30d", command },
      envName: "X_KEY",
      methods: ["GET", "POST"],
    });
  });
});

test("secrets are updated, rotated, listed and deleted", async () => {
  await user.run(["secrets", "create", "--name", "C", "--type", "anthropic", "--value-stdin"], {
    stdin: VALUE,
  });
  const id = String((await user.run(["secrets", "list"])).json.data[0]?.["id"]);
  expect((await user.run(["secrets", "update", "--id", id, "--path-pattern", "/v1/*"])).json).toMatchObject({
    id,
    status: "updated",
  });
  expect(lastBody()).toEqual({ pathPattern: "/v1/*" });
  expect((await user.run(["secrets", "rotate", "--id", id])).json).toMatchObject({ status: "rotated" });
  expect((await user.run(["secrets", "delete", "--id", id])).json).toMatchObject({ status: "deleted" });
  expect((await user.run(["secrets", "list"])).json.data).toEqual([]);
});

test("rules are created, shown, changed and deleted", async () => {
  const create = ["rules", "create", "--name", "No deletes", "--host-pattern", "api.github.com"];
  const { json } = await user.run([...create, "--action", "block", "--method", "delete"]);
  expect(lastBody()).toMatchObject({ action: "block", method: "DELETE", enabled: true });
  const id = String(json["id"]);
  expect((await user.run(["rules", "get", "--id", id])).json).toMatchObject({ name: "No deletes" });
  const changed = await user.run(["rules", "update", "--id", id, "--enabled", "false"]);
  expect(changed.json).toMatchObject({ id, enabled: false });
  expect(lastBody()).toEqual({ enabled: false });
  await user.run([...create, "--action", "rate_limit", "--rate-limit", "100", "--rate-limit-window", "hour"]);
  expect(lastBody()).toMatchObject({ rateLimit: 100, rateLimitWindow: "hour" });
  expect((await user.run(["rules", "delete", "--id", id])).exitCode).toBe(0);
  expect((await user.run(["rules", "get", "--id", id])).exitCode).toBe(3);
});

describe("the audit", () => {
  test("is listed newest first and tailed oldest first, one record a line", async () => {
    const listed = (await user.run(["audit", "list"])).json.data.map(({ seq }) => seq);
    const { stdout } = await user.run(["audit", "tail"]);
    const tailed = stdout
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { seq: number }).seq);
    expect([listed, tailed]).toEqual([
      [3, 2, 1],
      [1, 2, 3],
    ]);
  });

  test("is followed until interrupted", async () => {
    const stop = new AbortController();
    let lines = 0;
    const onOutput = () => (lines += 1) === 3 && stop.abort();
    const told = await user.run(["audit", "tail", "--follow"], { interrupted: stop.signal, onOutput });
    expect(told).toMatchObject({ exitCode: 0, stderr: "" });
  });

  test("verifies with 0 and with 1 when a record was changed", async () => {
    expect((await user.run(["audit", "verify"])).exitCode).toBe(0);
    const verification = {
      valid: false,
      records: 3,
      segments: 1,
      fromSeq: 1,
      toSeq: 3,
      problem: "hash of 2",
    };
    standIn.answers.verifyAudit = verification;
    const told = await user.run(["audit", "verify"]);
    expect(told.exitCode).toBe(1);
    expect(told.json).toMatchObject(verification);
  });
});

describe("logging in", () => {
  const file = () => path.join(user.home, ".onecli/credentials/api-key");
  const anonymous = { ONECLI_API_KEY: "" };

  test("saves the key for this user only", async () => {
    const told = await user.run(["auth", "login", "--api-key-stdin"], {
      stdin: `${ADMIN_KEY}\n`,
      env: anonymous,
    });
    expect(told.json).toMatchObject({ status: "ok", name: "Admin" });
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    expect(statSync(path.dirname(file())).mode & 0o777).toBe(0o700);
    expect((await user.run(["agents", "list"], { env: anonymous })).exitCode).toBe(0);
    expect((await user.run(["auth", "status"], { env: anonymous })).json).toMatchObject({
      authenticated: true,
      keyFrom: "file",
    });
  });

  test("with a key that opens nothing saves nothing", async () => {
    const wrong = `oc_${"f".repeat(64)}`;
    expect((await user.run(["auth", "login", "--api-key", wrong], { env: anonymous })).exitCode).toBe(2);
    expect((await user.run(["auth", "login", "--api-key", "aoc_1"], { env: anonymous })).exitCode).toBe(1);
    expect(existsSync(file())).toBe(false);
    expect((await user.run(["auth", "status"], { env: anonymous })).json).toMatchObject({
      authenticated: false,
    });
  });

  test("ends with logging out", async () => {
    await user.run(["auth", "login"], { typed: ADMIN_KEY, env: anonymous });
    expect((await user.run(["auth", "logout"], { env: anonymous })).exitCode).toBe(0);
    expect(existsSync(file())).toBe(false);
    expect((await user.run(["agents", "list"], { env: anonymous })).exitCode).toBe(2);
  });

  test("regenerating replaces the saved key", async () => {
    await user.run(["auth", "login"], { typed: ADMIN_KEY, env: anonymous });
    const told = await user.run(["auth", "regenerate-api-key", "--quiet", "apiKey"], { env: anonymous });
    expect(readFileSync(file(), "utf8")).toBe(told.stdout);
  });
});

test("settings are kept, and the environment wins over them", async () => {
  const env = { ONECLI_URL: "" };
  expect((await user.run(["config", "get", "api-host"], { env })).json).toMatchObject({
    value: "http://localhost:10254",
  });
  await user.run(["config", "set", "api-host", standIn.url], { env });
  expect((await user.run(["config", "get", "api-host"], { env })).json).toMatchObject({ value: standIn.url });
  expect((await user.run(["agents", "list"], { env })).exitCode).toBe(0);
  const told = await user.run(["config", "get", "api-host"], { env: { ONECLI_API_HOST: "http://other:1" } });
  expect(told.json).toMatchObject({ key: "api-host", value: "http://other:1" });
});

test.each([
  ["{bad", "is not JSON"],
  ['{"api-host":5}', '"api-host" is not text'],
  ['{"api-host":"localhost"}', "is not the address of a gateway"],
])(
  "settings that read %s are an error that names what is wrong, not passed over",
  async (content, sentence) => {
    const env = { ONECLI_URL: "" };
    await user.run(["config", "set", "api-host", standIn.url], { env });
    writeFileSync(path.join(user.home, ".onecli", "config.json"), content);
    const told = await user.run(["agents", "list"], { env });
    expect(told.exitCode).toBe(1);
    expect(told.error["error"]).toContain(sentence);
    expect(standIn.requests).toEqual([]);
  },
);

test("keys, vault, status and version answer", async () => {
  const { json } = await user.run(["api-keys", "create", "--name", "ci", "--role", "read"]);
  expect(json).toMatchObject({ role: "read", apiKey: expect.stringMatching(/^oc_/) });
  expect((await user.run(["api-keys", "list"])).json.data).toHaveLength(1);
  expect((await user.run(["api-keys", "delete", "--id", String(json["id"])])).exitCode).toBe(0);
  expect((await user.run(["vault", "rotate"])).json).toMatchObject({ rewrapped: 1 });
  expect((await user.run(["gateway", "status"])).json).toMatchObject({
    status: "ok",
    version: "0.0.0-stand-in",
  });
  expect((await user.run(["version"])).json["version"]).toMatch(/^\d+\.\d+\.\d+$/);
});
