// Rows for human eyes. Text that agents chose (hosts, paths) must not steer the terminal.
import Table from "cli-table3";
import type { Row } from "./command.ts";

/** no lines: columns two spaces apart */
const borders = ["top", "bottom"].flatMap((edge) => [edge, `${edge}-mid`, `${edge}-left`, `${edge}-right`]);
const sides = ["left", "left-mid", "mid", "mid-mid", "right", "right-mid"];
const chars = {
  ...Object.fromEntries([...borders, ...sides].map((name) => [name, ""])),
  middle: "  ",
};
const style = { head: [], border: [], "padding-left": 0, "padding-right": 0 };

export const table = {
  object(value: Row): string {
    const rows = new Table({ chars, style });
    for (const [name, content] of Object.entries(value)) rows.push([name, cell(content)]);
    return `${rows.toString()}\n`;
  },

  list(rows: readonly unknown[], columns: readonly string[], hint: string): string {
    if (rows.length === 0) return `nothing yet\n${hint}\n`;
    const lines = new Table({ head: columns.map(heading), chars, style });
    for (const row of rows) lines.push(columns.map((name) => cell(valueOf(row, name))));
    return `${lines.toString()}\n\n${hint}\n`;
  },
};

function valueOf(row: unknown, name: string): unknown {
  return typeof row === "object" && row !== null ? (row as Row)[name] : row;
}

function heading(column: string): string {
  return column.replaceAll(/(?<=[a-z])[A-Z]/g, " $&").toUpperCase();
}

export function cell(value: unknown): string {
  if (value === undefined || value === null) return "-";
  if (typeof value === "boolean") return value ? "yes" : "no";
  const plain = typeof value === "string" ? value : JSON.stringify(value);
  return plain.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) => {
    return `\\u{${character.codePointAt(0)?.toString(16) ?? ""}}`;
  });
}
