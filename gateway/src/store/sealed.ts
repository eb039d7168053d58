// Every sealed value, table after table, for re-encryption under a new key.
import { z } from "zod";
import { type Connection, sql } from "./connection.ts";
import { expectChange } from "./error.ts";
import { blob, rowParser } from "./rows.ts";
import type { SealedCell, SealedColumnStore, SealedPosition } from "./store.ts";

type Table = SealedPosition["table"];

/** In the order of the pages. */
const columns = {
  agents: "token_sealed",
  authority: "key_sealed",
  secrets: "value_sealed",
} as const satisfies Record<Table, string>;
const tables = Object.keys(columns) as Table[];

export function createSealedColumnStore(connection: Connection): SealedColumnStore {
  return {
    page: (after, count) => page(connection, after, count),
    replace: ({ table, rowId }, sealed) => {
      const query = sql
        .updateTable(table)
        .set({ [columns[table]]: sealed })
        .where("id", "=", rowId);
      expectChange(connection.run(query), table, rowId);
      connection.forget();
    },
  };
}

function page(connection: Connection, after: SealedPosition | null, count: number): SealedCell[] {
  const cells: SealedCell[] = [];
  const first = after === null ? 0 : tables.indexOf(after.table);
  for (const table of tables.slice(first)) {
    const afterId = after?.table === table ? after.rowId : "";
    cells.push(...cellsOf(connection, { table, rowId: afterId }, count - cells.length));
    if (cells.length >= count) break;
  }
  return cells;
}

function cellsOf(connection: Connection, { table, rowId }: SealedPosition, count: number): SealedCell[] {
  const parse = rowParser(table, z.object({ id: z.string(), sealed: blob }));
  const query = sql
    .selectFrom(table)
    .select(["id", `${columns[table]} as sealed`])
    .where("id", ">", rowId)
    .orderBy("id")
    .limit(count);
  return connection.all(query).map((row) => {
    const { id, sealed } = parse(row);
    return { table, rowId: id, sealed };
  });
}
