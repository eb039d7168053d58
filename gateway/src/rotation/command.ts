// A program whose standard output is the new value: no shell, none of the gateway's environment, bounded in time.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { homedir } from "node:os";
import { RotationError, interruption } from "./error.ts";
import { rotationLimits } from "./limits.ts";
import { readText } from "./read-text.ts";

export interface Command {
  readonly argv: readonly string[];
  readonly secretName: string;
  /** directories in which the program is looked for, as in PATH */
  readonly searchPath: string | undefined;
  readonly signal: AbortSignal;
}

/** The master key may stand in the gateway's own environment: a program gets these three variables and no other. */
const DEFAULT_SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const WHO = "the command";

/** Standard output as it came. @throws RotationError that never quotes the program's words or arguments */
export async function runCommand(command: Command): Promise<string> {
  const { signal } = command;
  const child = start(command);
  // Stays for good: an error after the end of the wait must not take the process down.
  child.on("error", () => undefined);
  const end = (): void => endGroup(child);
  signal.addEventListener("abort", end, { once: true });
  try {
    const exit = once(child, "exit", { signal });
    const output = readText(child.stdout, rotationLimits.newValueBytesMax, WHO);
    const [[status, killedBy], text] = await Promise.all([exit, output]);
    if (status === 0) return text;
    throw new RotationError(`${WHO} ended with ${status === null ? String(killedBy) : `status ${status}`}`);
  } catch (error) {
    end();
    throw signal.aborted ? interruption(signal, WHO) : failure(error);
  } finally {
    signal.removeEventListener("abort", end);
  }
}

function start({ argv, secretName, searchPath, signal }: Command) {
  if (signal.aborted) throw interruption(signal, WHO);
  const [program = "", ...args] = argv;
  try {
    return spawn(program, args, {
      // Its error output may hold what it was told: it goes nowhere.
      stdio: ["ignore", "pipe", "ignore"],
      env: { PATH: searchPath ?? DEFAULT_SEARCH_PATH, HOME: homedir(), ONECLI_SECRET_NAME: secretName },
      cwd: "/",
      shell: false,
      // A group of its own, so that what it starts ends with it.
      detached: true,
      windowsHide: true,
    });
  } catch (error) {
    throw failure(error);
  }
}

function endGroup(child: ChildProcess): void {
  child.stdout?.destroy();
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // No such group: it has ended, or the system has none.
    child.kill("SIGKILL");
  }
}

function failure(error: unknown): RotationError {
  if (error instanceof RotationError) return error;
  const { code } = error as NodeJS.ErrnoException;
  return new RotationError(`${WHO} could not be run (${code ?? "unknown error"})`);
}
