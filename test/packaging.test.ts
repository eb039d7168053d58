// What is published works elsewhere: SDK and CLI are packed, installed into an empty folder and used from there.
import { execFile } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { read, root, trackedFiles } from "./support/documents.ts";

const run = promisify(execFile);
const INSTALL_MS_MAX = 180_000;
const windowsOnly = process.platform === "win32";

let folder: string;
let elsewhere: string;
let packed: Record<string, readonly string[]>;
const env = {
  ...process.env,
  PATH: `${path.dirname(process.execPath)}${path.delimiter}${process.env["PATH"]}`,
};

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "onecli-packaging-"));
  elsewhere = path.join(folder, "elsewhere");
  const tarballs = await packAll(["sdk", "cli"]);
  mkdirSync(elsewhere);
  writeFileSync(path.join(elsewhere, "package.json"), '{"private":true,"type":"module"}');
  const flags = ["--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund"];
  await run("npm", ["install", ...flags, ...tarballs], { cwd: elsewhere, env });
}, INSTALL_MS_MAX);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Packed from a copy: the build writes into the package's folder, and two runs must not meet there. */
async function packAll(names: readonly string[]): Promise<string[]> {
  const copy = path.join(folder, "copy");
  mkdirSync(copy);
  for (const file of ["package.json", "tsconfig.json"]) cpSync(path.join(root, file), path.join(copy, file));
  for (const name of names) copyPackage(path.join(root, name), path.join(copy, name));
  installBeside(copy, names);
  packed = {};
  const tarballs: string[] = [];
  for (const name of names) {
    const { stdout } = await run("npm", ["pack", "--json", "--ignore-scripts=false"], {
      cwd: path.join(copy, name),
      env,
    });
    const [entry] = JSON.parse(stdout.slice(stdout.search(/^\[/m))) as {
      filename: string;
      files: { path: string }[];
    }[];
    if (entry === undefined) throw new Error(`npm pack said nothing about ${name}`);
    packed[name] = entry.files.map((file) => file.path);
    tarballs.push(path.join(copy, name, entry.filename));
  }
  return tarballs;
}

function copyPackage(from: string, to: string): void {
  cpSync(from, to, { recursive: true, filter: (file) => !/[/\\](node_modules|dist)$/.test(file) });
}

/** node_modules of the checkout, but with the copies in place of the workspaces. */
function installBeside(copy: string, names: readonly string[]): void {
  const modules = path.join(copy, "node_modules");
  mkdirSync(path.join(modules, "@onecli"), { recursive: true });
  for (const name of readdirSync(path.join(root, "node_modules"))) {
    if (name !== "@onecli") symlinkSync(path.join(root, "node_modules", name), path.join(modules, name));
  }
  for (const name of names) symlinkSync(path.join(copy, name), path.join(modules, "@onecli", name));
}

describe.skipIf(windowsOnly)("the installed command", () => {
  const onecli = (...args: string[]) =>
    run(path.join(elsewhere, "node_modules/.bin/onecli"), args, { env: { ...env, HOME: folder } });

  test("says its version", async () => {
    const { stdout } = await onecli("version", "-o", "json");
    const { version } = JSON.parse(read("cli/package.json")) as { version: string };
    expect(JSON.parse(stdout)).toMatchObject({ version });
  });

  test("shows help, for nouns too", async () => {
    expect((await onecli("--help")).stdout).toContain("Usage: onecli");
    expect((await onecli("secrets", "--help")).stdout).toContain("onecli secrets");
  });

  test("says how to start the gateway, which is not part of it", async () => {
    const failed = await onecli("gateway", "start").catch(
      (error: unknown) => error as { code: number; stderr: string },
    );
    expect(failed).toMatchObject({ code: 1, stderr: expect.stringContaining("npm start") });
  });
});

describe("the installed SDK", () => {
  test("is imported by plain JavaScript, with its contract", async () => {
    const file = path.join(elsewhere, "use.js");
    const code = `import { OneCLI } from "@onecli/sdk";
import { endpoints } from "@onecli/sdk/contract";
console.log(typeof new OneCLI({ url: "http://localhost:1" }).applyContainerConfig, endpoints.health.path);
`;
    writeFileSync(file, code);
    const { stdout } = await run(process.execPath, [file], { env });
    expect(stdout).toBe("function /health\n");
  });
});

describe("a package", () => {
  test.each(["sdk", "cli"])("%s holds what was built and a README, no sources, no tests", (name) => {
    const files = packed[name] ?? [];
    expect(files).toEqual(expect.arrayContaining(["package.json", "README.md"]));
    expect(files.some((file) => file.startsWith("dist/") && file.endsWith(".js"))).toBe(true);
    expect(files.filter((file) => /\.test\.|^src\/|^test\//.test(file))).toEqual([]);
  });
});

describe("package-lock.json", () => {
  const { packages } = JSON.parse(read("package-lock.json")) as {
    packages: Record<
      string,
      { resolved?: string; link?: boolean; hasInstallScript?: boolean; integrity?: string }
    >;
  };
  const installed = Object.entries(packages).filter(
    ([name, { link }]) => name.startsWith("node_modules/") && !link,
  );

  test("names no registry", () => {
    expect(installed.filter(([, { resolved }]) => resolved !== undefined).map(([name]) => name)).toEqual([]);
  });

  test("has a hash for every package", () => {
    expect(installed.filter(([, { integrity }]) => integrity === undefined).map(([name]) => name)).toEqual(
      [],
    );
  });

  test("has no package that runs a script when it is installed", () => {
    // npm writes it for better-sqlite3, whose package.json has no such script (npm/cli issue 9837).
    const known = ["node_modules/better-sqlite3"];
    const running = installed
      .filter(([, { hasInstallScript }]) => hasInstallScript === true)
      .map(([name]) => name);
    expect(running.filter((name) => !known.includes(name))).toEqual([]);
    const { scripts = {} } = JSON.parse(read("node_modules/better-sqlite3/package.json")) as {
      scripts?: object;
    };
    expect(Object.keys(scripts).filter((name) => /^(pre|post)?install$/.test(name))).toEqual([]);
  });
});

describe("versions", () => {
  test.each([
    "package.json",
    ...["gateway", "cli", "sdk", "dashboard", "runner"].map((name) => `${name}/package.json`),
  ])("in %s are exact", (file) => {
    const manifest = JSON.parse(read(file)) as Record<string, Record<string, string> | undefined>;
    const wanted = ["dependencies", "devDependencies", "optionalDependencies"].flatMap((kind) =>
      Object.entries(manifest[kind] ?? {}),
    );
    expect(wanted.filter(([, version]) => !/^(npm:[@\w/.-]+@)?\d+\.\d+\.\d+$/.test(version))).toEqual([]);
  });
});

describe("the checkout", () => {
  const files = trackedFiles();

  test.skipIf(files === null)("names no folder of the machine that it lies on", () => {
    const here = root.replace(/\/$/, "");
    const naming = (files ?? []).filter((file) => textOf(file).includes(here));
    expect(naming).toEqual([]);
  });

  test.skipIf(files === null)("holds no built files, databases or keys", () => {
    const unwanted = (files ?? []).filter((file) =>
      /(^|\/)(dist|node_modules)\/|\.(db|key|pem|tgz|env)$/.test(file),
    );
    expect(unwanted).toEqual([]);
  });

  /** Empty for what is deleted but still tracked. */
  function textOf(file: string): string {
    try {
      return readFileSync(path.join(root, file), "utf8");
    } catch {
      return "";
    }
  }
});

describe("the Docker image", () => {
  const dockerfile = read("Dockerfile");
  const compose = read("docker-compose.yml");

  test("runs as a user without rights, keeps its state in one volume and is watched", () => {
    expect(dockerfile).toMatch(/^USER node$/m);
    expect(dockerfile).toMatch(/^VOLUME \/data$/m);
    expect(dockerfile).toMatch(/^HEALTHCHECK [\s\S]*\/healthz/m);
    expect(
      dockerfile.match(/^RUN npm install.*$/gm)?.every((line) => line.includes("--ignore-scripts")),
    ).toBe(true);
  });

  test("has every path that it copies, and the context holds it", () => {
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, sources = ""]) =>
      sources.split(" "),
    );
    const allowed = read(".dockerignore")
      .split("\n")
      .filter((line) => line.startsWith("!"))
      .map((line) => line.slice(1));
    const isAllowed = (source: string) => allowed.some((path) => `${source}/`.startsWith(`${path}/`));
    expect(copied.filter((source) => !isAllowed(source))).toEqual([]);
    for (const source of copied)
      expect(readdirSync(path.join(root, path.dirname(source)))).toContain(path.basename(source));
  });

  test("starts the gateway as npm start does", () => {
    const flags = [...read("scripts/run.js").matchAll(/"(--[a-z-]+=?[^"]*)"/g)].map(([, flag = ""]) => flag);
    const expected = flags.filter((flag) => flag !== "--bin");
    expect(expected.filter((flag) => !dockerfile.includes(`"${flag}"`))).toEqual([]);
  });

  test.each([
    ["is published on loopback only", /ports:\n\s+- "127\.0\.0\.1:10254:10254"\n(?!\s+-)/],
    ["has a read-only root", /^\s+read_only: true$/m],
    ["has no capabilities", /cap_drop:\n\s+- ALL$/m],
    ["gains no privileges", /^\s+- no-new-privileges:true$/m],
    ["leaves no core file", /^\s+core: 0$/m],
  ])("%s under compose", (_, expected) => {
    expect(compose).toMatch(expected);
  });
});
