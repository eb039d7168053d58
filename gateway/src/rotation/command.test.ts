import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test, vi } from "vitest";
import { temporaryDirectory } from "../store/testing.ts";
import { runCommand } from "./command.ts";
import { rotationLimits } from "./limits.ts";
import { printing, script } from "./testing.ts";

const MARK = "printed-VALUE";

function run(argv: readonly string[], { timeoutMs = 20_000, searchPath = process.env["PATH"] } = {}) {
  const signal = AbortSignal.timeout(timeoutMs);
  return runCommand({ argv, secretName: "Example key", searchPath, signal });
}

async function messageOf(running: Promise<string>): Promise<string> {
  return running.then(
    () => "it gave a value",
    (error: Error) => `${error.name}: ${error.message}`,
  );
}

describe("a command", () => {
  test("gives its standard output as it came, and not its error output", async () => {
    expect(await run(script(`console.error("no"); console.log(" ä€😀 ")`))).toBe(" ä€😀 \n");
  });

  test("gets three variables and nothing else of the gateway's environment", async () => {
    const environment = JSON.parse(await run(script("console.log(JSON.stringify(process.env))")));
    expect(Object.keys(environment).sort()).toEqual(["HOME", "ONECLI_SECRET_NAME", "PATH"]);
    expect(environment["ONECLI_SECRET_NAME"]).toBe("Example key");
  });

  test.each(["$(id)", "`id`", "a b", "; id", "* ?", "$HOME", "'\"", "-x\n"])(
    "gets the argument %j as it is: there is no shell",
    async (argument) => {
      expect(await run(["printf", "%s", argument])).toBe(argument);
    },
  );

  test("is looked for in the given directories only", async () => {
    expect(await run(["printf", "found"])).toBe("found");
    const elsewhere = run(["printf", "found"], { searchPath: temporaryDirectory() });
    expect(await messageOf(elsewhere)).toBe("RotationError: the command could not be run (ENOENT)");
  });

  test("may print as much as the limit, and not a byte more", async () => {
    const most = rotationLimits.newValueBytesMax;
    const source = (bytes: number) => `process.stdout.write("x".repeat(${bytes}))`;
    expect(await run(script(source(most)))).toHaveLength(most);
    expect(await messageOf(run(script(source(most + 1))))).toContain(`more than ${most} bytes`);
  });
});

describe("a command that fails", () => {
  test.each([
    ["ends with a status", script(`console.log("${MARK}"); process.exit(7)`), "status 7"],
    ["kills itself", script(`console.log("${MARK}"); process.kill(process.pid, "SIGTERM")`), "SIGTERM"],
    ["prints bytes that are no text", ["printf", "\\377\\376"], "not UTF-8"],
    ["does not exist", [`/nowhere/${MARK}`], "ENOENT"],
    ["may not be run", [path.parse(process.cwd()).root], "EACCES"],
    ["has an argument that no program can get", ["printf", `${MARK}\0`], "ERR_INVALID_ARG_VALUE"],
  ])("%s, and is told without its words", async (_case, argv, why) => {
    const message = await messageOf(run(argv));
    expect(message).toMatch(/^RotationError: the command /);
    expect(message).toContain(why);
    expect(message).not.toContain(MARK);
  });

  test("prints for ever and is ended at the limit", async () => {
    expect(await messageOf(run(["yes", MARK]))).toContain("more than");
  });
});

describe("a command that is too slow", () => {
  test("is ended with everything it started", async () => {
    const pids = path.join(temporaryDirectory(), "pids");
    const child = "setInterval(() => {}, 1000)";
    const source = `
      const { spawn } = require("node:child_process");
      const child = spawn(process.execPath, ["-e", ${JSON.stringify(child)}], { stdio: "inherit" });
      require("node:fs").writeFileSync(process.argv[1], process.pid + " " + child.pid);
      ${child}`;
    const stop = new AbortController();
    const running = runCommand({
      argv: script(source, pids),
      secretName: "Example key",
      searchPath: undefined,
      signal: stop.signal,
    });
    const started = await vi.waitFor(() => readFileSync(pids, "utf8").split(" ").map(Number), 10_000);
    expect(started).toHaveLength(2);
    stop.abort();
    await expect(running).rejects.toThrow("the gateway stopped");
    await vi.waitFor(() => expect(started.filter(isRunning)).toEqual([]), 5_000);
  });

  test("is told so", async () => {
    expect(await messageOf(run(["sleep", "60"], { timeoutMs: 50 }))).toBe(
      "RotationError: the command took too long",
    );
  });

  test("is not waited for when it has ended but a program it left behind holds its output", async () => {
    const detached = `require("node:child_process")
      .spawn("sleep", ["5"], { stdio: ["ignore", "inherit", "ignore"], detached: true }).unref()`;
    const began = performance.now();
    expect(await messageOf(run(script(detached), { timeoutMs: 1_000 }))).toContain("took too long");
    expect(performance.now() - began).toBeLessThan(4_000);
  });

  test("is not started when the time is over already", async () => {
    const signal = AbortSignal.abort();
    const running = runCommand({ argv: printing(MARK), secretName: "x", searchPath: undefined, signal });
    await expect(running).rejects.toThrow("the gateway stopped");
  });
});

/** A process that ended and that its parent did not ask for yet (Z) does not run. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
