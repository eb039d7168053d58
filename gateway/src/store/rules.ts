// The rules that the policy decides by.
import { httpMethod, rateLimitWindow, ruleAction } from "@onecli/sdk/contract";
import { z } from "zod";
import type { RateLimit, Rule } from "../model.ts";
import { type Connection, sql } from "./connection.ts";
import { expectChange } from "./error.ts";
import { flag, invalidRow, json, rowParser, time } from "./rows.ts";
import type { RuleStore } from "./store.ts";

const parseRule = rowParser(
  "rules",
  z.object({
    id: z.string(),
    name: z.string(),
    host_pattern: z.string(),
    path_pattern: z.string().nullable(),
    methods: json(z.array(httpMethod)).nullable(),
    action: ruleAction,
    enabled: flag,
    agent_id: z.string().nullable(),
    rate_limit: z.int().min(1).nullable(),
    rate_limit_window: rateLimitWindow.nullable(),
    created_at: time,
  }),
);
type RuleRow = ReturnType<typeof parseRule>;

export function createRuleStore(connection: Connection): RuleStore {
  const all = sql.selectFrom("rules").selectAll();
  return {
    list: () => connection.all(all.orderBy("created_at").orderBy("id")).map(fromRow),
    get: (id) => {
      const row = connection.first(all.where("id", "=", id));
      return row && fromRow(row);
    },
    insert: (rule) => void connection.run(sql.insertInto("rules").values(toRow(rule))),
    update: (rule) => {
      const query = sql.updateTable("rules").set(toRow(rule)).where("id", "=", rule.id);
      expectChange(connection.run(query), "rules", rule.id);
    },
    delete: (id) => connection.run(sql.deleteFrom("rules").where("id", "=", id)) > 0,
  };
}

function fromRow(raw: Record<string, unknown>): Rule {
  const row = parseRule(raw);
  return {
    id: row.id,
    name: row.name,
    hostPattern: row.host_pattern,
    pathPattern: row.path_pattern,
    methods: row.methods,
    action: row.action,
    enabled: row.enabled,
    agentId: row.agent_id,
    rateLimit: rateLimitOf(row),
    createdAt: row.created_at,
  };
}

/** A limit without its number or window would be a rule that limits nothing. */
function rateLimitOf(row: RuleRow): RateLimit | null {
  const { rate_limit: count, rate_limit_window: window } = row;
  if ((row.action === "rate_limit") !== (count !== null) || (count === null) !== (window === null)) {
    throw invalidRow("rules", row.id, "rate_limit");
  }
  return count === null || window === null ? null : { count, window };
}

function toRow(rule: Rule) {
  return {
    id: rule.id,
    name: rule.name,
    host_pattern: rule.hostPattern,
    path_pattern: rule.pathPattern,
    methods: rule.methods && JSON.stringify(rule.methods),
    action: rule.action,
    enabled: rule.enabled ? 1 : 0,
    agent_id: rule.agentId,
    rate_limit: rule.rateLimit?.count ?? null,
    rate_limit_window: rule.rateLimit?.window ?? null,
    created_at: rule.createdAt,
  };
}
