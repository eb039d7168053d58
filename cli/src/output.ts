// The one place that prints: JSON for scripts, tables and sentences for a terminal.
import type { Flags, Result, Row } from "./command.ts";
import { integer, list, text } from "./command.ts";
import type { Context, Screen } from "./context.ts";
import { type Failure, usageError } from "./errors.ts";
import { cell, table } from "./table.ts";

const ROWS_SHOWN_DEFAULT = 20;

interface View {
  readonly asTable: boolean;
  readonly fields: readonly string[] | undefined;
  /** one member a line, raw */
  readonly quiet: string | undefined;
  readonly rowsMax: number;
  readonly dashboard: string;
}

export function viewOf(context: Context, flags: Flags, dashboard: string): View {
  const form = text(flags, "output");
  if (form !== undefined && form !== "json" && form !== "table")
    throw usageError("--output is json or table");
  return {
    asTable: form === undefined ? context.stdout.isTerminal : form === "table",
    fields: list(flags, "fields"),
    quiet: text(flags, "quiet"),
    rowsMax: integer(flags, "max") ?? ROWS_SHOWN_DEFAULT,
    dashboard,
  };
}

/** Prints the result and gives the exit code. */
export async function print(screen: Screen, result: Result, view: View): Promise<number> {
  if (result.kind === "stream") return printStream(screen, result, view);
  if (result.kind === "object") printObject(screen, result.value, view);
  if (result.kind === "list") printList(screen, result.rows.slice(0, view.rowsMax), result, view);
  if (result.kind === "report") printList(screen, result.rows, result, view);
  return "exitCode" in result ? (result.exitCode ?? 0) : 0;
}

function printObject(screen: Screen, value: Row, view: View): void {
  if (view.quiet !== undefined) return line(screen, raw(value[view.quiet]));
  const shown = view.fields === undefined ? value : pick(value, view.fields);
  if (view.asTable) return screen.write(table.object(shown));
  const hint = { hint: `Dashboard: ${view.dashboard}` };
  writeJson(screen, view.fields === undefined ? { ...hint, ...shown } : shown);
}

interface Listed {
  readonly rows: readonly unknown[];
  readonly columns: readonly string[];
}

function printList(screen: Screen, rows: readonly unknown[], all: Listed, view: View): void {
  const { quiet, fields } = view;
  if (quiet !== undefined) return rows.forEach((row) => line(screen, raw(member(row, quiet))));
  const hint = listHint(rows.length, all.rows.length, view);
  if (view.asTable) return screen.write(table.list(rows, fields ?? all.columns, hint));
  const shown = fields === undefined ? rows : rows.map((row) => pick(row as Row, fields));
  writeJson(screen, fields === undefined ? { hint, data: shown } : shown);
}

function listHint(shown: number, total: number, view: View): string {
  const more = shown < total ? `${shown} of ${total} shown, --max ${total} shows all. ` : "";
  return `${more}Dashboard: ${view.dashboard}`;
}

/** One record a line, so that `onecli audit tail | jq` works while it runs. */
async function printStream(
  screen: Screen,
  result: Extract<Result, { kind: "stream" }>,
  view: View,
): Promise<number> {
  for await (const row of result.rows) {
    const { quiet, fields } = view;
    if (quiet !== undefined) line(screen, raw(row[quiet]));
    else if (view.asTable) line(screen, (fields ?? result.columns).map((name) => cell(row[name])).join("  "));
    else line(screen, json(fields === undefined ? row : pick(row, fields), 0));
  }
  return 0;
}

export function printFailure(screen: Screen, failure: Failure, asJson: boolean): number {
  const { exitCode, ...said } = failure;
  if (asJson || !screen.isTerminal) writeJson(screen, said);
  else {
    line(screen, `onecli: ${cell(failure.error)}`);
    for (const next of [failure.hint, failure.action])
      if (next !== undefined) line(screen, `  → ${cell(next)}`);
  }
  return exitCode;
}

/** A remark for whoever watches; scripts read standard output only. */
export function remark(context: Context, sentence: string): void {
  line(context.stderr, `onecli: ${cell(sentence)}`);
}

function pick(row: Row, fields: readonly string[]): Row {
  return Object.fromEntries(fields.map((name) => [name, row[name] ?? null]));
}

function member(row: unknown, name: string): unknown {
  return typeof row === "object" && row !== null ? (row as Row)[name] : row;
}

function raw(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

function line(screen: Screen, content: string): void {
  screen.write(`${content}\n`);
}

function writeJson(screen: Screen, value: unknown): void {
  line(screen, json(value, 2));
}

/** Escapes what JSON.stringify leaves: C1 controls and bidirectional marks that a terminal would obey. */
function json(value: unknown, indent: number): string {
  return JSON.stringify(value, null, indent).replaceAll(
    /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
