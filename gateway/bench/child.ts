// Child processes of a run: started with an IPC channel, asked over it, and gone when the run is.
import { type ChildProcess, spawn } from "node:child_process";

const STOP_TIMEOUT_MS = 15_000;
/** the longest that a child works on one call */
const ASK_TIMEOUT_MS = 120_000;

export interface Child {
  readonly name: string;
  /** Calls one of the child's handlers (parent.ts); rejects with its error, or when the child ends first. */
  ask<T>(call: string, args?: unknown): Promise<T>;
  /** Resolves with the first output line that matches. */
  waitForOutput(pattern: RegExp, timeoutMs: number): Promise<RegExpExecArray>;
  stop(): Promise<void>;
}

export interface ChildOptions {
  readonly name: string;
  readonly file: string;
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

interface Reply {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export function startChild({ name, file, flags = [], env = {} }: ChildOptions): Child {
  const child = spawn(process.execPath, [...flags, file], {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    env: { PATH: process.env["PATH"] ?? "", TMPDIR: process.env["TMPDIR"] ?? "/tmp", ...env },
  });
  running.add(child);
  const output = collectOutput(child);
  const waiting = new Map<number, Waiting>();
  child.on("message", (message) => settle(waiting, message as Reply));
  const exited = new Promise<void>((resolve) => {
    const gone = (): void => {
      running.delete(child);
      const error = new Error(`${name} ended: ${output.text().slice(-2_000)}`);
      for (const { reject } of waiting.values()) reject(error);
      waiting.clear();
      resolve();
    };
    child.once("error", gone);
    child.once("close", gone);
  });
  let id = 0;
  return {
    name,
    ask: <T>(call: string, args: unknown = null) =>
      new Promise<T>((resolve, reject) => {
        id += 1;
        const timer = setTimeout(
          () => reject(new Error(`${name}: no answer to ${call} in time`)),
          ASK_TIMEOUT_MS,
        );
        const settled =
          <V>(settle: (value: V) => void) =>
          (value: V): void => {
            clearTimeout(timer);
            settle(value);
          };
        waiting.set(id, { resolve: settled((value) => resolve(value as T)), reject: settled(reject) });
        child.send({ id, call, args }, (error) => {
          if (error !== null) reject(new Error(`${name} can't be asked: ${output.text().slice(-2_000)}`));
        });
      }),
    waitForOutput: (pattern, timeoutMs) => output.waitFor(pattern, timeoutMs),
    async stop() {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
      await exited;
      clearTimeout(timer);
    },
  };
}

function settle(waiting: Map<number, Waiting>, { id, result, error }: Reply): void {
  const asked = waiting.get(id);
  waiting.delete(id);
  if (error === undefined) asked?.resolve(result);
  else asked?.reject(new Error(error));
}

function collectOutput(child: ChildProcess) {
  const OUTPUT_CHARACTERS_MAX = 20_000;
  let text = "";
  const looking = new Set<() => void>();
  const add = (chunk: Buffer): void => {
    text = (text + chunk.toString()).slice(-OUTPUT_CHARACTERS_MAX);
    for (const look of looking) look();
  };
  child.stdout?.on("data", add);
  child.stderr?.on("data", add);
  return {
    text: () => text,
    waitFor: (pattern: RegExp, timeoutMs: number) =>
      new Promise<RegExpExecArray>((resolve, reject) => {
        const timer = setTimeout(() => finish(null), timeoutMs);
        const look = (): void => {
          const found = pattern.exec(text);
          if (found !== null) finish(found);
        };
        const onExit = (): void => finish(null);
        const finish = (found: RegExpExecArray | null): void => {
          clearTimeout(timer);
          looking.delete(look);
          child.removeListener("close", onExit);
          if (found !== null) resolve(found);
          else reject(new Error(`waited in vain for ${String(pattern)}: ${text.slice(-2_000)}`));
        };
        looking.add(look);
        child.once("close", onExit);
        look();
      }),
  };
}
