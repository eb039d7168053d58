// Rows are input too: each is parsed when it is read, and one that does not parse is named, never guessed at.
import { z } from "zod";
import { StoreError } from "./error.ts";

export interface RowParser<T> {
  (row: { readonly [column: string]: unknown }): T;
}

/** `idColumn` names the row in the error. */
export function rowParser<Schema extends z.ZodType>(
  table: string,
  schema: Schema,
  idColumn = "id",
): RowParser<z.output<Schema>> {
  return (row) => {
    const parsed = schema.safeParse(row);
    if (parsed.success) return parsed.data;
    const column = String(parsed.error.issues[0]?.path[0] ?? "?");
    throw invalidRow(table, String(row[idColumn]), column);
  };
}

export function invalidRow(table: string, id: string, column: string): StoreError {
  return new StoreError(
    "invalid_row",
    `table ${table}, row ${id}: column ${column} holds something that this version can't read`,
  );
}

export const flag = z.union([z.literal(0), z.literal(1)]).transform((value) => value === 1);

export const blob = z.instanceof(Uint8Array);

/** `ms` since the epoch */
export const time = z.int().min(0);

/** A column of JSON text. */
export function json<Schema extends z.ZodType>(schema: Schema) {
  return z.string().transform((text, context): z.output<Schema> => {
    const parsed = schema.safeParse(parse(text));
    if (parsed.success) return parsed.data;
    context.addIssue({ code: "custom", message: "is not the JSON that belongs here" });
    return z.NEVER;
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
