// Every token that proves an agent: one per run, and each agent's classic one.
import { tokenLabels } from "@onecli/sdk/contract";
import { z } from "zod";
import type { AgentToken } from "../model.ts";
import { type Connection, sql } from "./connection.ts";
import { json, rowParser, time } from "./rows.ts";
import type { TokenStore } from "./store.ts";

const parseToken = rowParser(
  "agent_tokens",
  z.object({
    id: z.string(),
    agent_id: z.string(),
    hash: z.string(),
    labels: json(tokenLabels),
    expires_at: time.nullable(),
  }),
);

export function createTokenStore(connection: Connection): TokenStore {
  return {
    list: (now) => [...classicTokens(connection), ...runTokens(connection, now)],
    insert: (token, createdAt) =>
      void connection.run(sql.insertInto("agent_tokens").values(toRow(token, createdAt))),
    delete: (agentId, id) => {
      const query = sql.deleteFrom("agent_tokens").where("id", "=", id).where("agent_id", "=", agentId);
      return connection.run(query) > 0;
    },
    deleteExpired: (now) => connection.run(sql.deleteFrom("agent_tokens").where("expires_at", "<=", now)),
  };
}

/** The classic token goes by its agent's id. */
function classicTokens(connection: Connection): AgentToken[] {
  const rows = connection.all(sql.selectFrom("agents").select(["id", "token_hash"]).orderBy("id"));
  return rows.map(({ id, token_hash: hash }) => ({ id, agentId: id, hash, labels: {}, expiresAt: null }));
}

function runTokens(connection: Connection, now: number): AgentToken[] {
  const alive = sql
    .selectFrom("agent_tokens")
    .select(["id", "agent_id", "hash", "labels", "expires_at"])
    .where((where) => where.or([where("expires_at", "is", null), where("expires_at", ">", now)]))
    .orderBy("id");
  return connection.all(alive).map((row) => {
    const { agent_id: agentId, expires_at: expiresAt, ...token } = parseToken(row);
    return { ...token, agentId, expiresAt };
  });
}

function toRow({ agentId, labels, expiresAt, ...token }: AgentToken, createdAt: number) {
  return {
    ...token,
    agent_id: agentId,
    labels: JSON.stringify(labels),
    expires_at: expiresAt,
    created_at: createdAt,
  };
}
