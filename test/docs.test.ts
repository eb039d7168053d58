// The documents are true: commands run, links lead somewhere, lists of bounds, folders and settings are complete.
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Session, startSession } from "../cli/test/support/session.ts";
import { nextCommands } from "../dashboard/src/commands.ts";
import { limits } from "../gateway/src/limits.ts";
import { rotationLimits } from "../gateway/src/rotation/limits.ts";
import { startGateway, type TestGateway } from "../gateway/test/support/gateway.ts";
import {
  codeRows,
  commandLines,
  documents,
  fileLinks,
  onecliCalls,
  read,
  root,
  words,
} from "./support/documents.ts";

const readme = read("README.md");
const folders = readdirSync(path.join(root, "gateway/src"), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);
const packages = [
  "package.json",
  ...["gateway", "cli", "sdk", "dashboard"].map((name) => `${name}/package.json`),
];

describe("links", () => {
  test.each(documents())("of %s lead to files that are there", (file) => {
    const broken = fileLinks(read(file)).filter(
      (target) => !existsSync(path.resolve(root, path.dirname(file), target)),
    );
    expect(broken).toEqual([]);
  });
});

describe("the commands of a first use", () => {
  let gateway: TestGateway;
  let session: Session;
  beforeAll(async () => {
    gateway = await startGateway();
    session = startSession({ ONECLI_URL: gateway.url, ONECLI_API_KEY: gateway.apiKey });
  });
  afterAll(async () => {
    session?.close();
    await gateway?.stop();
  });

  test("run in the README's order, and leave a secret, an agent, a rule and a chain that verifies", async () => {
    const calls = commandLines(readme)
      .filter((line) => line.startsWith("npx onecli"))
      .flatMap(onecliCalls)
      .filter(([noun]) => noun !== "doctor");
    expect(calls.length).toBeGreaterThan(5);
    for (const call of calls) {
      const { exitCode, stderr } = await session.run(runnable(call), {
        typed: "sk-ant-api03-not-a-real-key",
      });
      expect([call.join(" "), exitCode, stderr]).toEqual([call.join(" "), 0, expect.any(String)]);
    }
    const counts = await gateway.api("GET", "/v1/counts");
    expect(counts.body).toMatchObject({ agents: 1, secrets: 1, rules: 1 });
    const verification = await gateway.api("POST", "/v1/audit/verify");
    expect(verification.body).toMatchObject({ valid: true, problem: null });
  });

  test("are the ones that the page shows", () => {
    for (const { line } of nextCommands) expect(commandLines(readme)).toContain(line);
  });

  /** The agent of the example is a program that need not be installed here. */
  function runnable(call: readonly string[]): string[] {
    const program = call.indexOf("--");
    if (call[0] !== "run" || program === -1) return [...call];
    const isWired =
      "process.exit(process.env.HTTPS_PROXY && process.env.ANTHROPIC_API_KEY === 'placeholder' ? 0 : 1)";
    return [...call.slice(0, program), "--", process.execPath, "-e", isWired];
  }
});

describe("every onecli command in a document", () => {
  const session = startSession({});
  afterAll(() => session.close());
  const calls = documents().flatMap((file) =>
    commandLines(read(file))
      .flatMap(onecliCalls)
      .map((call): [string, string[]] => [`${file}: onecli ${call.join(" ")}`, call]),
  );

  test.each(calls)("%s is in the command's help, with its flags", async (_, call) => {
    const end = call.indexOf("--");
    const own = end === -1 ? call : call.slice(0, end);
    const name = own.slice(0, own.findIndex((word) => word.startsWith("-")) >>> 0).slice(0, 2);
    const help = await session.run([...name, "--help"]);
    expect(help.stdout).toContain(`Usage: onecli ${name.join(" ")}`);
    for (const flag of own.filter((word) => word.startsWith("-"))) expect(help.stdout).toContain(flag);
  });
});

describe("npm scripts in the documents", () => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  const named = ["README.md", "CONTRIBUTING.md"].flatMap((file) =>
    [...read(file).matchAll(/npm (?:run )?(start|test|demo|bench|check|build)\b/g)].map(
      ([, name = ""]) => name,
    ),
  );

  test.each([...new Set(named)])("npm run %s exists", (name) => {
    expect(scripts[name]).toBeDefined();
  });
});

describe("docs/limits.md", () => {
  const described = codeRows(read("docs/limits.md"));
  const bounds = Object.entries({ ...limits, ...rotationLimits });

  test.each(bounds)("says the value of %s", (name, value) => {
    expect(numberOf(described.get(name))).toBe(value);
  });

  test("names no bound that is gone", () => {
    const known = new Set(bounds.map(([name]) => name));
    expect([...described.keys()].filter((name) => !known.has(name))).toEqual([]);
  });

  function numberOf(cell: string | undefined): number | undefined {
    const digits = /^[\d,]+/.exec(cell ?? "")?.[0];
    return digits === undefined ? undefined : Number(digits.replaceAll(",", ""));
  }
});

describe("docs/glossary.md", () => {
  const glossary = codeRows(read("docs/glossary.md"));

  test.each(folders)("explains the folder %s", (folder) => {
    expect(glossary.get(folder)).toMatch(/\w/);
  });
});

describe("docs/architecture.md", () => {
  const map = read("docs/architecture.md");

  test.each(folders)("has the folder %s on its map", (folder) => {
    expect(map.includes(`\n  ${folder}/ `)).toBe(true);
  });
});

describe("the README's settings", () => {
  const settings = [...read("gateway/src/config.ts").matchAll(/^ {2}([A-Z][A-Z_]+):/gm)].map(
    ([, name = ""]) => name,
  );
  const refused = ["DATABASE_URL"];

  test.each(settings.filter((name) => !refused.includes(name)))("name %s", (name) => {
    expect(new RegExp(`^\\|.*\`${name}\``, "m").test(readme)).toBe(true);
  });

  test("name none that the gateway does not read", () => {
    const table = readme.slice(readme.indexOf("## Settings"));
    const named = [...table.matchAll(/`((?:ONECLI|LOG)_[A-Z_]+)`/g)].map(([, name = ""]) => name);
    expect(named.filter((name) => !settings.includes(name))).toEqual([]);
  });
});

describe("the decisions", () => {
  const pages = readdirSync(path.join(root, "docs/decisions")).sort();

  test("are numbered without gaps", () => {
    const numbers = pages.map((name) => Number(name.slice(0, 4)));
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
  });

  test.each(pages)("%s has a context, a decision and consequences, on one page", (name) => {
    const page = read(`docs/decisions/${name}`);
    const parts = ["Context", "Decision", "Consequences"];
    expect(parts.filter((part) => !page.includes(`**${part}.**`))).toEqual([]);
    expect(page.split("\n").length).toBeLessThan(60);
  });

  test.each(packages)("name every dependency of %s", (file) => {
    const page = read("docs/decisions/0009-dependencies.md");
    const { dependencies = {}, devDependencies = {} } = JSON.parse(read(file)) as Record<
      string,
      Record<string, string>
    >;
    const names = Object.keys({ ...dependencies, ...devDependencies });
    const explained = names.filter(
      (name) => !/^@(types|vitest|onecli)\//.test(name) && !name.startsWith("@onecli-sh/sdk-"),
    );
    expect(explained.filter((name) => !page.includes(name))).toEqual([]);
  });

  test("state the versions that are installed", () => {
    const rows = [...read("docs/decisions/0009-dependencies.md").matchAll(/^\| ([^|]+) \| ([\d., ]+) \|/gm)];
    expect(rows.length).toBeGreaterThan(10);
    for (const [, names = "", versions = ""] of rows) {
      const pairs = names
        .split(", ")
        .map((name, index) => [name.trim(), versions.split(", ")[index]?.trim()]);
      for (const [name = "", version] of pairs)
        expect([name, locked(name)]).toEqual([name, version ?? locked(name)]);
    }
  });

  function locked(name: string): string | undefined {
    const lock = JSON.parse(read("package-lock.json")) as { packages: Record<string, { version?: string }> };
    return lock.packages[`node_modules/${name}`]?.version;
  }
});

describe("a command line in a document", () => {
  test.each([
    ["npx onecli agents list", ["agents", "list"]],
    ['npx onecli agents create --name "My agent"', ["agents", "create", "--name", "My agent"]],
    ["onecli auth login   # asks for the key", ["auth", "login"]],
    ["docker compose exec gateway onecli agents list", ["agents", "list"]],
    ["pass show x | onecli secrets create --value-stdin", ["secrets", "create", "--value-stdin"]],
  ])("%s is read as words", (line, expected) => {
    expect(onecliCalls(line)).toEqual([expected]);
  });

  test.each(["npm start", "docker compose up -d --build", "cat onecli"])(
    "%s is no call of onecli",
    (line) => {
      expect(onecliCalls(line)).toEqual([]);
      expect(words(line).length).toBeGreaterThan(1);
    },
  );
});
