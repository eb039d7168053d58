// What a command is: data that the program tree is built from, and a function that returns a result without printing.
import type { Context } from "./context.ts";
import { usageError } from "./errors.ts";

export type Row = Readonly<Record<string, unknown>>;

export type Result =
  | { readonly kind: "object"; readonly value: Row; readonly exitCode?: number }
  | { readonly kind: "list"; readonly rows: readonly unknown[]; readonly columns: readonly string[] }
  /** doctor: a list that also decides the exit code */
  | {
      readonly kind: "report";
      readonly rows: readonly Row[];
      readonly columns: readonly string[];
      readonly exitCode: number;
    }
  | { readonly kind: "stream"; readonly rows: AsyncIterable<Row>; readonly columns: readonly string[] }
  | { readonly kind: "exit"; readonly exitCode: number };

export type Flags = Readonly<Record<string, unknown>>;

export interface Invocation {
  readonly context: Context;
  readonly flags: Flags;
  /** positional arguments */
  readonly rest: readonly string[];
}

export interface Command {
  readonly name: string;
  readonly summary: string;
  /** commander's form: `--host-pattern <pattern>` and what it means */
  readonly flags?: readonly (readonly [form: string, meaning: string])[];
  /** commander's form: `<command...>` */
  readonly argument?: readonly [form: string, meaning: string];
  readonly examples: readonly string[];
  /** `write` adds --json and --dry-run; `bare` has no output flags */
  readonly form?: "read" | "write" | "bare";
  readonly run: (invocation: Invocation) => Promise<Result>;
}

export interface Noun {
  readonly name: string;
  readonly summary: string;
  readonly commands: readonly Command[];
}

/** Flags as commander gives them: strings, true, or absent. */
export function text(flags: Flags, name: string): string | undefined {
  const value = flags[name];
  return typeof value === "string" ? value : undefined;
}

export function required(flags: Flags, name: string): string {
  const value = text(flags, name);
  if (value === undefined || value === "") throw missingFlag(name);
  return value;
}

export function missingFlag(name: string): Error {
  const flag = `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  return usageError(`${flag} is missing`, "add --help to see the command's flags and examples");
}

export function list(flags: Flags, name: string): string[] | undefined {
  return text(flags, name)
    ?.split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

export function integer(flags: Flags, name: string): number | undefined {
  const value = text(flags, name);
  if (value === undefined) return undefined;
  if (!/^[0-9]{1,9}$/.test(value))
    throw usageError(`${JSON.stringify(value)} is not a whole number (${name})`);
  return Number(value);
}

export function truth(flags: Flags, name: string): boolean | undefined {
  const value = flags[name];
  if (value === undefined || typeof value === "boolean") return value;
  if (value === "true") return true;
  if (value === "false") return false;
  throw usageError(`${JSON.stringify(value)} is neither true nor false (${name})`);
}

/** Members that were given; `undefined` means not given. */
export function given(members: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}
