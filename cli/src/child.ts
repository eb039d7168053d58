// A program run in our place: same terminal, signals passed on, its exit code ours. Never through a shell.
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { CliError } from "./errors.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** POSIX.1-2024 XCU 2.8.2: not found, found but not executable */
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;

export function runChild(command: string, args: readonly string[], env: Environment): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: "inherit", env: { ...env } });
    const forget = forwardSignals((signal) => child.kill(signal));
    child.once("error", (error: NodeJS.ErrnoException) => {
      forget();
      reject(cannotStart(command, error.code));
    });
    child.once("exit", (code, signal) => {
      forget();
      resolve(signal === null ? (code ?? 1) : 128 + constants.signals[signal]);
    });
  });
}

function forwardSignals(kill: (signal: NodeJS.Signals) => void): () => void {
  const listeners = (["SIGINT", "SIGTERM", "SIGHUP"] as const).map((signal) => {
    // A terminal's Ctrl-C reaches the child by itself; twice would interrupt programs that ask for two.
    const listener = () => {
      if (signal !== "SIGINT" || !process.stdin.isTTY) kill(signal);
    };
    process.on(signal, listener);
    return [signal, listener] as const;
  });
  return () => {
    for (const [signal, listener] of listeners) process.off(signal, listener);
  };
}

function cannotStart(command: string, code: string | undefined): CliError {
  if (code === "ENOENT") {
    const hint = "is it installed and on PATH?";
    return new CliError(`${command}: not found`, { hint, code: "NOT_STARTED", exitCode: NOT_FOUND });
  }
  return new CliError(`${command} cannot be started (${code ?? "unknown"})`, {
    code: "NOT_STARTED",
    exitCode: NOT_EXECUTABLE,
  });
}
