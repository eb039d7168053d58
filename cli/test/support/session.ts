// A user at a keyboard, in process: a home of their own, an environment, captured streams.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Context } from "../../src/context.ts";
import { run } from "../../src/program.ts";

export interface Transcript {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
  /** standard output as JSON */
  readonly json: Record<string, unknown> & { data: Record<string, unknown>[] };
  /** standard error as JSON */
  readonly error: Record<string, unknown>;
}

export interface Situation {
  readonly stdin?: string;
  /** typed at a hidden prompt; makes standard input a terminal */
  readonly typed?: string;
  /** standard output and error are a terminal */
  readonly terminal?: boolean;
  readonly env?: Record<string, string>;
  readonly interrupted?: AbortSignal;
  readonly onOutput?: (text: string) => void;
}

export interface Session {
  readonly home: string;
  readonly env: Record<string, string>;
  readonly run: (argv: readonly string[], situation?: Situation) => Promise<Transcript>;
  readonly close: () => void;
}

export function startSession(env: Record<string, string>): Session {
  const home = mkdtempSync(path.join(tmpdir(), "onecli-cli-"));
  const own = { PATH: process.env["PATH"] ?? "", HOME: home, ...env };
  return {
    home,
    env: own,
    run: (argv, situation = {}) => transcript(argv, { ...own, ...situation.env }, home, situation),
    close: () => rmSync(home, { recursive: true, force: true }),
  };
}

async function transcript(
  argv: readonly string[],
  env: Record<string, string>,
  home: string,
  situation: Situation,
) {
  let [stdout, stderr] = ["", ""];
  const isTerminal = situation.terminal === true;
  const context: Context = {
    env,
    home,
    stdout: {
      isTerminal,
      write: (text) => {
        stdout += text;
        situation.onOutput?.(text);
      },
    },
    stderr: { isTerminal, write: (text) => void (stderr += text) },
    stdin: { isTerminal: situation.typed !== undefined, read: async () => situation.stdin ?? "" },
    askHidden: async () => situation.typed ?? "",
    interrupted: () => situation.interrupted ?? new AbortController().signal,
  };
  const exitCode = await run(argv, context);
  return {
    stdout,
    stderr,
    exitCode,
    get json() {
      return JSON.parse(stdout) as Transcript["json"];
    },
    get error() {
      return JSON.parse(stderr) as Transcript["error"];
    },
  };
}
