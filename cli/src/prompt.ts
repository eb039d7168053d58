// A line typed without echo: the terminal in raw mode, one key at a time.
import type { ReadStream, WriteStream } from "node:tty";
import { CliError } from "./errors.ts";

const CTRL_C = "\u0003";
const CTRL_D = "\u0004";
const BACKSPACE = new Set(["\u007f", "\b"]);

export function readHidden(input: ReadStream, output: WriteStream, question: string): Promise<string> {
  output.write(question);
  return new Promise((resolve, reject) => {
    let typed: string[] = [];
    const finish = (end: () => void) => {
      input.off("data", onData);
      input.setRawMode(false);
      input.pause();
      output.write("\n");
      end();
    };
    const onData = (data: Buffer) => {
      for (const key of data.toString("utf8")) {
        if (key === "\r" || key === "\n" || key === CTRL_D) return finish(() => resolve(typed.join("")));
        if (key === CTRL_C) return finish(() => reject(new CliError("interrupted", { exitCode: 130 })));
        typed = BACKSPACE.has(key) ? typed.slice(0, -1) : [...typed, key];
      }
    };
    input.setRawMode(true);
    input.resume();
    input.on("data", onData);
  });
}
