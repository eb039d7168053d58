// The certificate authority's certificate and its sealed private key.
import { z } from "zod";
import { type Connection, sql } from "./connection.ts";
import { blob, rowParser, time } from "./rows.ts";
import type { AuthorityRow, AuthorityStore } from "./store.ts";

const parseAuthority = rowParser(
  "authority",
  z.object({ id: z.string(), certificate: z.string(), key_sealed: blob, created_at: time }),
);

export function createAuthorityStore(connection: Connection): AuthorityStore {
  return {
    get: () => {
      const newest = sql.selectFrom("authority").selectAll().orderBy("created_at", "desc").limit(1);
      const row = connection.first(newest);
      return row && fromRow(row);
    },
    insert: ({ id, certificate, keySealed, createdAt }) => {
      const row = { id, certificate, key_sealed: keySealed, created_at: createdAt };
      connection.run(sql.insertInto("authority").values(row));
    },
  };
}

function fromRow(row: Record<string, unknown>): AuthorityRow {
  const { id, certificate, key_sealed: keySealed, created_at: createdAt } = parseAuthority(row);
  return { id, certificate, keySealed, createdAt };
}
