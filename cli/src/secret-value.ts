// Where a secret's value comes from. argv is the worst place: history, ps and logs keep it, so it earns a warning.
import { open } from "node:fs/promises";
import { type Flags, type Invocation, text } from "./command.ts";
import type { Context } from "./context.ts";
import { CliError, usageError } from "./errors.ts";
import { remark } from "./output.ts";

export const valueFlags = [
  ["--value-stdin", "read the value from standard input"],
  ["--value-file <path>", "read the value from a file"],
  ["--value <value>", "the value itself: stays in the shell's history, prefer the others"],
] as const;

/** 10,000 characters of at most four bytes, and a line end */
const VALUE_BYTES_MAX = 40_002;

export async function readSecretValue(
  { flags, context }: Invocation,
  { ask }: { ask: boolean },
): Promise<string | undefined> {
  refuseSeveral(flags);
  if (flags["dryRun"] === true && text(flags, "value") === undefined) return ask ? "***" : undefined;
  const value = await fromFlags(flags, context);
  if (value !== undefined) return checked(value);
  return ask ? checked(await asked(context)) : undefined;
}

function refuseSeveral(flags: Flags): void {
  const sources = ["value", "valueStdin", "valueFile"].filter((name) => flags[name] !== undefined);
  if (sources.length > 1) throw usageError("give the value once: --value-stdin, --value-file or --value");
}

async function fromFlags(flags: Flags, context: Context): Promise<string | undefined> {
  const argument = text(flags, "value");
  const file = text(flags, "valueFile");
  if (argument !== undefined) {
    remark(
      context,
      "--value stays in the shell's history and shows in ps: prefer --value-stdin or --value-file",
    );
    return argument;
  }
  if (flags["valueStdin"] === true) return context.stdin.read(VALUE_BYTES_MAX);
  return file === undefined ? undefined : fileContent(file);
}

async function fileContent(file: string): Promise<string> {
  const handle = await open(file).catch(() => {
    throw new CliError(`cannot read ${file}`, { code: "USAGE" });
  });
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(VALUE_BYTES_MAX + 1));
    if (bytesRead > VALUE_BYTES_MAX) throw usageError(`${file} is too large for a secret's value`);
    return buffer.toString("utf8", 0, bytesRead);
  } finally {
    await handle.close();
  }
}

async function asked(context: Context): Promise<string> {
  if (context.stdin.isTerminal) return context.askHidden("Value (not shown): ");
  throw usageError("no value", "pipe it in with --value-stdin, or name a file with --value-file");
}

function checked(value: string): string {
  const trimmed = value.trim();
  if (trimmed === "") throw usageError("the value is empty");
  return trimmed;
}
