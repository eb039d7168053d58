// Agents, the secrets assigned to them, and the classic token of each.
import { defaultAction, secretMode } from "@onecli/sdk/contract";
import { z } from "zod";
import type { Agent } from "../model.ts";
import { type Connection, sql } from "./connection.ts";
import { expectChange } from "./error.ts";
import { blob, flag, rowParser, time } from "./rows.ts";
import type { AgentStore, SealedToken } from "./store.ts";

const parseAgent = rowParser(
  "agents",
  z.object({
    id: z.string(),
    name: z.string(),
    identifier: z.string(),
    is_default: flag,
    secret_mode: secretMode,
    default_action: defaultAction.nullable(),
    created_by: z.string().nullable(),
    created_at: time,
  }),
);
const parseToken = rowParser("agents", z.object({ token_hash: z.string(), token_sealed: blob }));

const withoutToken = sql
  .selectFrom("agents")
  .select([
    "id",
    "name",
    "identifier",
    "is_default",
    "secret_mode",
    "default_action",
    "created_by",
    "created_at",
  ]);

export function createAgentStore(connection: Connection): AgentStore {
  return {
    ...readers(connection),
    insert: (agent, token) => insertAgent(connection, agent, token),
    update: (id, change) => updateAgent(connection, id, change),
    setDefault: (id) => connection.transactions.run(() => setDefault(connection, id)),
    setSecrets: (id, secretIds) => connection.transactions.run(() => setSecrets(connection, id, secretIds)),
    setToken: (id, { hash, sealed }) => {
      const columns = { token_hash: hash, token_sealed: sealed };
      expectChange(connection.run(sql.updateTable("agents").set(columns).where("id", "=", id)), "agents", id);
      connection.forget();
    },
    delete: (id) => {
      connection.forget();
      return connection.run(sql.deleteFrom("agents").where("id", "=", id)) > 0;
    },
  };
}

function readers(connection: Connection): Pick<AgentStore, "list" | "get" | "byIdentifier" | "token"> {
  const one = (column: "id" | "identifier", value: string): Agent | undefined => {
    const row = connection.first(withoutToken.where(column, "=", value));
    return row && fromRow(row, assigned(connection, row.id));
  };
  return {
    list: () => {
      const byAgent = Map.groupBy(assignments(connection), (row) => row.agent_id);
      const rows = connection.all(withoutToken.orderBy("created_at").orderBy("id"));
      return rows.map((row) => fromRow(row, byAgent.get(row.id)?.map((each) => each.secret_id) ?? []));
    },
    get: (id) => one("id", id),
    byIdentifier: (identifier) => one("identifier", identifier),
    token: (id) => {
      const query = sql
        .selectFrom("agents")
        .select(["id", "token_hash", "token_sealed"])
        .where("id", "=", id);
      const row = connection.first(query);
      return row && tokenFromRow(row);
    },
  };
}

function insertAgent(connection: Connection, agent: Agent, token: SealedToken): void {
  connection.transactions.run(() => {
    connection.run(sql.insertInto("agents").values({ ...toRow(agent), ...tokenColumns(token) }));
    setSecrets(connection, agent.id, agent.secretIds);
    if (agent.isDefault) setDefault(connection, agent.id);
  });
}

function updateAgent(connection: Connection, id: string, change: Parameters<AgentStore["update"]>[1]): void {
  const columns = {
    ...(change.name !== undefined && { name: change.name }),
    ...(change.secretMode !== undefined && { secret_mode: change.secretMode }),
    ...(change.defaultAction !== undefined && { default_action: change.defaultAction }),
  };
  if (Object.keys(columns).length === 0) return;
  expectChange(connection.run(sql.updateTable("agents").set(columns).where("id", "=", id)), "agents", id);
}

/** At most one agent is the default. */
function setDefault(connection: Connection, id: string): void {
  connection.run(sql.updateTable("agents").set({ is_default: 0 }).where("is_default", "=", 1));
  const marked = connection.run(sql.updateTable("agents").set({ is_default: 1 }).where("id", "=", id));
  expectChange(marked, "agents", id);
}

function setSecrets(connection: Connection, agentId: string, secretIds: readonly string[]): void {
  connection.run(sql.deleteFrom("agent_secrets").where("agent_id", "=", agentId));
  for (const secretId of new Set(secretIds)) {
    connection.run(sql.insertInto("agent_secrets").values({ agent_id: agentId, secret_id: secretId }));
  }
}

function assignments(connection: Connection) {
  return connection.all(sql.selectFrom("agent_secrets").selectAll().orderBy("agent_id").orderBy("secret_id"));
}

function assigned(connection: Connection, agentId: string): string[] {
  const query = sql.selectFrom("agent_secrets").select("secret_id").where("agent_id", "=", agentId);
  return connection.all(query.orderBy("secret_id")).map((row) => row.secret_id);
}

function fromRow(raw: Record<string, unknown>, secretIds: readonly string[]): Agent {
  const row = parseAgent(raw);
  return {
    id: row.id,
    name: row.name,
    identifier: row.identifier,
    isDefault: row.is_default,
    secretMode: row.secret_mode,
    defaultAction: row.default_action,
    createdBy: row.created_by,
    secretIds,
    createdAt: row.created_at,
  };
}

function toRow(agent: Agent) {
  return {
    id: agent.id,
    name: agent.name,
    identifier: agent.identifier,
    is_default: 0,
    secret_mode: agent.secretMode,
    default_action: agent.defaultAction,
    created_by: agent.createdBy,
    created_at: agent.createdAt,
  };
}

function tokenColumns({ hash, sealed }: SealedToken) {
  return { token_hash: hash, token_sealed: sealed };
}

function tokenFromRow(row: Record<string, unknown>): SealedToken {
  const { token_hash: hash, token_sealed: sealed } = parseToken(row);
  return { hash, sealed };
}
