// What a writing command sends: flags over --json, or only shown with --dry-run, secret members masked.
import type { Flags, Invocation, Result } from "./command.ts";
import { given, missingFlag, text } from "./command.ts";
import { usageError } from "./errors.ts";
import { remark } from "./output.ts";

export type Payload = Record<string, unknown>;

export const JSON_BYTES_MAX = 256 * 1024;
const secretMembers = new Set(["value", "apiKey", "accessToken"]);

/** `--json '{…}'`, or `--json -` for standard input; a flag beside it wins. */
export async function payloadOf(invocation: Invocation, members: Payload): Promise<Payload> {
  const { flags, context } = invocation;
  const argument = text(flags, "json");
  if (argument === undefined) return given(members);
  const source = argument === "-" ? await context.stdin.read(JSON_BYTES_MAX) : argument;
  const payload = { ...parseObject(source), ...given(members) };
  if (argument !== "-" && "value" in parseObject(source)) {
    remark(
      context,
      "the value stands in the shell's history and in ps: pass it with --json - and standard input",
    );
  }
  return payload;
}

function parseObject(source: string): Payload {
  try {
    const value: unknown = JSON.parse(source);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Payload;
  } catch {
    // the parser's own message would repeat the text, and that may hold a secret
  }
  throw usageError("--json is not a JSON object", `write it like --json '{"name":"…"}'`);
}

export function requireMembers(payload: Payload, names: readonly string[]): void {
  for (const name of names) if (payload[name] === undefined) throw missingFlag(name);
}

interface Write {
  readonly flags: Flags;
  /** what would happen, for --dry-run */
  readonly description: string;
  readonly payload: Payload;
}

/** Sends, or says what would be sent. */
export async function submit(write: Write, send: () => Promise<Payload>): Promise<Result> {
  if (write.flags["dryRun"] !== true) return { kind: "object", value: await send() };
  const payload = masked(write.payload);
  return { kind: "object", value: { dry_run: true, description: write.description, payload } };
}

export function masked(payload: Payload): Payload {
  return Object.fromEntries(
    Object.entries(payload).map(([name, value]) => [name, secretMembers.has(name) ? "***" : value]),
  );
}
