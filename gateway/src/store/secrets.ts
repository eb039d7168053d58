// What is known about each secret, and its sealed value.
import { httpMethod, injection, issuesTokens, rotation, secretType } from "@onecli/sdk/contract";
import { z } from "zod";
import type { Credential, IssuedToken } from "../model.ts";
import { type Connection, sql } from "./connection.ts";
import { expectChange } from "./error.ts";
import { blob, invalidRow, json, rowParser, time } from "./rows.ts";
import type { SecretStore } from "./store.ts";

const parseSecret = rowParser(
  "secrets",
  z.object({
    id: z.string(),
    name: z.string(),
    type: secretType,
    auth_mode: z.enum(["api-key", "oauth"]).nullable(),
    host_pattern: z.string(),
    path_pattern: z.string().nullable(),
    methods: json(z.array(httpMethod)).nullable(),
    injection_config: json(z.array(injection)),
    env_name: z.string().nullable(),
    rotation: json(rotation).nullable(),
    rotated_at: time.nullable(),
    issues_tokens: json(issuesTokens).nullable(),
    issued_by: z.string().nullable(),
    issued_to: z.string().nullable(),
    placeholder: z.string().nullable(),
    expires_at: time.nullable(),
    created_at: time,
  }),
);
const parseValue = rowParser("secrets", z.object({ id: z.string(), value_sealed: blob }));

const withoutValue = sql
  .selectFrom("secrets")
  .select(["id", "name", "type", "auth_mode", "host_pattern", "path_pattern", "methods"])
  .select(["injection_config", "env_name", "rotation", "rotated_at", "created_at"])
  .select(["issues_tokens", "issued_by", "issued_to", "placeholder", "expires_at"]);

export function createSecretStore(connection: Connection): SecretStore {
  return {
    list: () => connection.all(withoutValue.orderBy("created_at").orderBy("id")).map(fromRow),
    get: (id) => {
      const row = connection.first(withoutValue.where("id", "=", id));
      return row && fromRow(row);
    },
    insert: (credential, valueSealed) => {
      const row = { id: credential.id, ...toColumns(credential), value_sealed: valueSealed };
      connection.run(sql.insertInto("secrets").values(row));
    },
    update: (id, credential) => {
      const query = sql.updateTable("secrets").set(toColumns(credential)).where("id", "=", id);
      expectChange(connection.run(query), "secrets", id);
    },
    valueSealed: (id) => {
      const row = connection.first(
        sql.selectFrom("secrets").select(["id", "value_sealed"]).where("id", "=", id),
      );
      return row && parseValue(row).value_sealed;
    },
    setValue: (id, valueSealed) => {
      const query = sql.updateTable("secrets").set({ value_sealed: valueSealed }).where("id", "=", id);
      expectChange(connection.run(query), "secrets", id);
      connection.forget();
    },
    delete: (id) => {
      connection.forget();
      return connection.run(sql.deleteFrom("secrets").where("id", "=", id)) > 0;
    },
    ...issuedTokens(connection),
  };
}

type IssuedTokens = Pick<SecretStore, "issued" | "issuedCount" | "deleteIssued" | "deleteExpired">;

function issuedTokens(connection: Connection): IssuedTokens {
  const countIssued = sql
    .selectFrom("secrets")
    .select(sql.fn.countAll<number>().as("count"))
    .where("issued_by", "is not", null);
  const forgetting = (query: Parameters<Connection["run"]>[0]) => {
    const deleted = connection.run(query);
    if (deleted > 0) connection.forget();
    return deleted;
  };
  return {
    issued: (bySecretId, toAgentId) => {
      const ofBoth = withoutValue.where("issued_by", "=", bySecretId).where("issued_to", "=", toAgentId);
      return connection.all(ofBoth.orderBy("created_at").orderBy("id")).map(fromRow);
    },
    issuedCount: () => connection.first(countIssued)?.count ?? 0,
    deleteIssued: (bySecretId) => forgetting(sql.deleteFrom("secrets").where("issued_by", "=", bySecretId)),
    deleteExpired: (before) => forgetting(sql.deleteFrom("secrets").where("expires_at", "<=", before)),
  };
}

function fromRow(raw: Record<string, unknown>): Credential {
  const row = parseSecret(raw);
  return {
    id: row.id,
    name: row.name,
    type: row.type,
    authMode: row.auth_mode,
    hostPattern: row.host_pattern,
    pathPattern: row.path_pattern,
    methods: row.methods,
    injections: row.injection_config,
    envName: row.env_name,
    rotation: row.rotation,
    rotatedAt: row.rotated_at,
    issuesTokens: row.issues_tokens,
    issued: issuedOf(row),
    createdAt: row.created_at,
  };
}

function issuedOf(row: ReturnType<typeof parseSecret>): IssuedToken | null {
  const { issued_by: bySecretId, issued_to: toAgentId, placeholder, expires_at: expiresAt } = row;
  if (bySecretId === null && toAgentId === null && placeholder === null) return null;
  // Half of it would be a token that everyone may use.
  if (bySecretId === null || toAgentId === null || placeholder === null)
    throw invalidRow("secrets", row.id, "issued_by");
  return { bySecretId, toAgentId, placeholder, expiresAt };
}

function toColumns(credential: Credential) {
  return {
    name: credential.name,
    type: credential.type,
    auth_mode: credential.authMode,
    host_pattern: credential.hostPattern,
    path_pattern: credential.pathPattern,
    methods: credential.methods && JSON.stringify(credential.methods),
    injection_config: JSON.stringify(credential.injections),
    env_name: credential.envName,
    rotation: credential.rotation && JSON.stringify(credential.rotation),
    rotated_at: credential.rotatedAt,
    issues_tokens: credential.issuesTokens && JSON.stringify(credential.issuesTokens),
    issued_by: credential.issued?.bySecretId ?? null,
    issued_to: credential.issued?.toAgentId ?? null,
    placeholder: credential.issued?.placeholder ?? null,
    expires_at: credential.issued?.expiresAt ?? null,
    created_at: credential.createdAt,
  };
}
