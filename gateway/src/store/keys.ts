// Wrapped data-encryption keys.
import { z } from "zod";
import { type Connection, sql } from "./connection.ts";
import { expectChange } from "./error.ts";
import { blob, rowParser, time } from "./rows.ts";
import type { KeyRow, KeyStore } from "./store.ts";

const parseKey = rowParser(
  "keys",
  z.object({
    id: z.string(),
    wrapped: blob,
    kek_id: z.string(),
    state: z.enum(["active", "deactivated"]),
    created_at: time,
  }),
);

export function createKeyStore(connection: Connection): KeyStore {
  return {
    list: () =>
      connection.all(sql.selectFrom("keys").selectAll().orderBy("created_at").orderBy("id")).map(fromRow),
    insert: (row) => void connection.run(sql.insertInto("keys").values(toRow(row))),
    update: (id, change) => {
      const columns = changedColumns(change);
      if (Object.keys(columns).length === 0) return;
      const changed = connection.run(sql.updateTable("keys").set(columns).where("id", "=", id));
      expectChange(changed, "keys", id);
      connection.forget();
    },
    delete: (id) => {
      connection.run(sql.deleteFrom("keys").where("id", "=", id));
      connection.forget();
    },
  };
}

function fromRow(row: Record<string, unknown>): KeyRow {
  const { id, wrapped, kek_id: kekId, state, created_at: createdAt } = parseKey(row);
  return { id, wrapped, kekId, state, createdAt };
}

function toRow({ id, wrapped, kekId, state, createdAt }: KeyRow) {
  return { id, wrapped, kek_id: kekId, state, created_at: createdAt };
}

function changedColumns({ wrapped, kekId, state }: Partial<KeyRow>) {
  return {
    ...(wrapped !== undefined && { wrapped }),
    ...(kekId !== undefined && { kek_id: kekId }),
    ...(state !== undefined && { state }),
  };
}
