// Keys of the control plane: their hashes.
import { role } from "@onecli/sdk/contract";
import { z } from "zod";
import type { ApiKey } from "../model.ts";
import { type Connection, sql } from "./connection.ts";
import { rowParser, time } from "./rows.ts";
import type { ApiKeyStore } from "./store.ts";

const parseApiKey = rowParser(
  "api_keys",
  z.object({
    id: z.string(),
    name: z.string(),
    role,
    hash: z.string(),
    preview: z.string(),
    created_at: time,
  }),
);

export function createApiKeyStore(connection: Connection): ApiKeyStore {
  return {
    list: () =>
      connection.all(sql.selectFrom("api_keys").selectAll().orderBy("created_at").orderBy("id")).map(fromRow),
    insert: ({ createdAt, ...key }) =>
      void connection.run(sql.insertInto("api_keys").values({ ...key, created_at: createdAt })),
    delete: (id) => connection.run(sql.deleteFrom("api_keys").where("id", "=", id)) > 0,
  };
}

function fromRow(row: Record<string, unknown>): ApiKey {
  const { created_at: createdAt, ...key } = parseApiKey(row);
  return { ...key, createdAt };
}
