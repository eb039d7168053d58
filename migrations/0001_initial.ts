import type { Kysely } from "kysely";

/** Everything the gateway keeps. Times are `ms` since the epoch, ids are UUIDs, sealed values are ciphertext. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { schema } = db;
  await schema
    .createTable("meta")
    .addColumn("key", "text", (c) => c.primaryKey().notNull())
    .addColumn("value", "text", (c) => c.notNull())
    .execute();

  // Data-encryption keys, wrapped by the key-encryption key.
  await schema
    .createTable("keys")
    .addColumn("id", "text", (c) => c.primaryKey().notNull())
    .addColumn("wrapped", "blob", (c) => c.notNull())
    .addColumn("kek_id", "text", (c) => c.notNull())
    .addColumn("state", "text", (c) => c.notNull())
    .addColumn("created_at", "integer", (c) => c.notNull())
    .execute();

  await schema
    .createTable("authority")
    .addColumn("id", "text", (c) => c.primaryKey().notNull())
    .addColumn("certificate", "text", (c) => c.notNull())
    .addColumn("key_sealed", "blob", (c) => c.notNull())
    .addColumn("created_at", "integer", (c) => c.notNull())
    .execute();

  await schema
    .createTable("api_keys")
    .addColumn("id", "text", (c) => c.primaryKey().notNull())
    .addColumn("name", "text", (c) => c.notNull())
    .addColumn("role", "text", (c) => c.notNull())
    .addColumn("hash", "text", (c) => c.notNull().unique())
    .addColumn("preview", "text", (c) => c.notNull())
    .addColumn("created_at", "integer", (c) => c.notNull())
    .execute();

  await schema
    .createTable("agents")
    .addColumn("id", "text", (c) => c.primaryKey().notNull())
    .addColumn("name", "text", (c) => c.notNull())
    .addColumn("identifier", "text", (c) => c.notNull().unique())
    .addColumn("is_default", "integer", (c) => c.notNull())
    .addColumn("secret_mode", "text", (c) => c.notNull())
    .addColumn("default_action", "text")
    .addColumn("created_by", "text")
    .addColumn("token_hash", "text", (c) => c.notNull().unique())
    .addColumn("token_sealed", "blob", (c) => c.notNull())
    .addColumn("created_at", "integer", (c) => c.notNull())
    .execute();

  await schema
    .createTable("agent_tokens")
    .addColumn("id", "text", (c) => c.primaryKey().notNull())
    .addColumn("agent_id", "text", (c) => c.notNull().references("agents.id").onDelete("cascade"))
    .addColumn("hash", "text", (c) => c.notNull().unique())
    .addColumn("labels", "text", (c) => c.notNull())
    .addColumn("expires_at", "integer")
    .addColumn("created_at", "integer", (c) => c.notNull())
    .execute();

  await schema
    .createTable("secrets")
    .addColumn("id", "text", (c) => c.primaryKey().notNull())
    .addColumn("name", "text", (c) => c.notNull())
    .addColumn("type", "text", (c) => c.notNull())
    .addColumn("auth_mode", "text")
    .addColumn("value_sealed", "blob", (c) => c.notNull())
    .addColumn("host_pattern", "text", (c) => c.notNull())
    .addColumn("path_pattern", "text")
    .addColumn("methods", "text")
    .addColumn("injection_config", "text", (c) => c.notNull())
    .addColumn("env_name", "text")
    .addColumn("rotation", "text")
    .addColumn("rotated_at", "integer")
    .addColumn("issues_tokens", "text")
    // Set together, on tokens that an origin issued.
    .addColumn("issued_by", "text", (c) => c.references("secrets.id").onDelete("cascade"))
    .addColumn("issued_to", "text", (c) => c.references("agents.id").onDelete("cascade"))
    .addColumn("placeholder", "text", (c) => c.unique())
    .addColumn("expires_at", "integer")
    .addColumn("created_at", "integer", (c) => c.notNull())
    .execute();

  await schema
    .createTable("agent_secrets")
    .addColumn("agent_id", "text", (c) => c.notNull().references("agents.id").onDelete("cascade"))
    .addColumn("secret_id", "text", (c) => c.notNull().references("secrets.id").onDelete("cascade"))
    .addPrimaryKeyConstraint("agent_secrets_pk", ["agent_id", "secret_id"])
    .execute();

  await schema
    .createTable("rules")
    .addColumn("id", "text", (c) => c.primaryKey().notNull())
    .addColumn("name", "text", (c) => c.notNull())
    .addColumn("host_pattern", "text", (c) => c.notNull())
    .addColumn("path_pattern", "text")
    .addColumn("methods", "text")
    .addColumn("action", "text", (c) => c.notNull())
    .addColumn("enabled", "integer", (c) => c.notNull())
    .addColumn("agent_id", "text", (c) => c.references("agents.id").onDelete("cascade"))
    .addColumn("rate_limit", "integer")
    .addColumn("rate_limit_window", "text")
    .addColumn("created_at", "integer", (c) => c.notNull())
    .execute();

  // One row a rule, agent and current window. Written in the transaction of the opening audit row. No foreign keys: a
  // rule deleted while its last calls wait for their commit must not fail the others of that commit.
  await schema
    .createTable("rate_counters")
    .addColumn("rule_id", "text", (c) => c.notNull())
    .addColumn("agent_id", "text", (c) => c.notNull())
    .addColumn("window_ms", "integer", (c) => c.notNull())
    .addColumn("window_start", "integer", (c) => c.notNull())
    .addColumn("count", "integer", (c) => c.notNull())
    .addPrimaryKeyConstraint("rate_counters_pk", ["rule_id", "agent_id"])
    .execute();

  // The hot table: no secondary index. `body` is the canonical JSON text that was hashed.
  await schema
    .createTable("audit_records")
    .addColumn("seq", "integer", (c) => c.primaryKey().notNull())
    .addColumn("body", "text", (c) => c.notNull())
    .addColumn("hash", "blob", (c) => c.notNull())
    .execute();

  // A closed segment is a range of rows. The anchor signs it, and again when retention deletes the rows: then it keeps
  // their last hash, from which the chain goes on.
  await schema
    .createTable("audit_segments")
    .addColumn("id", "integer", (c) => c.primaryKey().notNull())
    .addColumn("first_seq", "integer", (c) => c.notNull())
    .addColumn("last_seq", "integer", (c) => c.notNull())
    .addColumn("last_hash", "blob", (c) => c.notNull())
    .addColumn("closed_at", "integer", (c) => c.notNull())
    .addColumn("retired_at", "integer")
    .addColumn("anchor", "blob", (c) => c.notNull())
    .execute();
}
