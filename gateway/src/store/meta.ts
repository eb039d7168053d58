// Single values under a name.
import { type Connection, sql } from "./connection.ts";
import type { MetaStore } from "./store.ts";

export function createMetaStore(connection: Connection): MetaStore {
  return {
    get: (key) => connection.first(sql.selectFrom("meta").select("value").where("key", "=", key))?.value,
    set: (key, value) => {
      connection.run(
        sql
          .insertInto("meta")
          .values({ key, value })
          .onConflict((conflict) => conflict.column("key").doUpdateSet({ value })),
      );
    },
  };
}
