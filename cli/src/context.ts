// Everything a command may touch of the world, so that tests run commands in process. The one reader of the environment.
import { homedir } from "node:os";
import { readHidden } from "./prompt.ts";

export interface Screen {
  readonly isTerminal: boolean;
  write(text: string): void;
}

export interface Context {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  readonly stdout: Screen;
  readonly stderr: Screen;
  readonly stdin: {
    readonly isTerminal: boolean;
    /** all of it, refused above the bound */
    readonly read: (bytesMax: number) => Promise<string>;
  };
  /** a line from the terminal, without echo */
  readonly askHidden: (question: string) => Promise<string>;
  /** aborted when the user interrupts a command that watches */
  readonly interrupted: () => AbortSignal;
}

export function processContext(): Context {
  return {
    env: process.env,
    home: process.env["HOME"] ?? homedir(),
    stdout: screen(process.stdout),
    stderr: screen(process.stderr),
    stdin: { isTerminal: process.stdin.isTTY, read: readStdin },
    askHidden: (question) => readHidden(process.stdin, process.stderr, question),
    interrupted,
  };
}

function screen(stream: NodeJS.WriteStream): Screen {
  return {
    isTerminal: stream.isTTY,
    write: (text) => void stream.write(text),
  };
}

async function readStdin(bytesMax: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin) {
    bytes += (chunk as Buffer).length;
    if (bytes > bytesMax) throw new RangeError(`standard input is larger than ${bytesMax} bytes`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function interrupted(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => controller.abort());
  return controller.signal;
}
