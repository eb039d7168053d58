// Rules: what may be called, and how often.
import { randomUUID } from "node:crypto";
import type { RuleInfo } from "@onecli/sdk/contract";
import { limits } from "../limits.ts";
import type { HttpMethod, RateLimit, Rule } from "../model.ts";
import type { ApiParts } from "./contract.ts";
import { type Call, changedMembers, type Handlers, iso, mutate } from "./handler.ts";
import { invalid, notFound, requireRoom } from "./problem.ts";
import { checkRule } from "./rule-validation.ts";
import { visibleRules } from "./visibility.ts";

type Names = "listRules" | "createRule" | "getRule" | "updateRule" | "deleteRule";

export function ruleHandlers(parts: ApiParts): Handlers<Names> {
  const { store } = parts;
  return {
    listRules: ({ key }) => visibleRules(store, key).map(describeRule),
    createRule: (call) => createRule(parts, call),
    getRule({ id, key }) {
      const rule = visibleRules(store, key).find((rule) => rule.id === id);
      if (rule === undefined) throw notFound("rule");
      return describeRule(rule);
    },
    updateRule: (call) => updateRule(parts, call),
    deleteRule({ id, key }) {
      const rule = ruleOf(parts, id);
      mutate(parts, ruleEvent("rule.deleted", key.id, rule), () => store.rules.delete(id));
    },
  };
}

function createRule(parts: ApiParts, { key, body }: Call<"createRule">): RuleInfo {
  const rule: Rule = {
    id: randomUUID(),
    name: body.name,
    hostPattern: body.hostPattern.toLowerCase(),
    pathPattern: body.pathPattern ?? null,
    methods: methodsOf(body.method),
    action: body.action,
    enabled: body.enabled,
    agentId: body.agentId ?? null,
    rateLimit: rateLimitOf(body.action, body, null),
    createdAt: parts.clock(),
  };
  checkRule(parts, rule);
  mutate(parts, ruleEvent("rule.created", key.id, rule), () => {
    requireRoom(parts.store.rules.list().length, limits.rulesMax, "rules");
    parts.store.rules.insert(rule);
  });
  return describeRule(rule);
}

function updateRule(parts: ApiParts, { id, key, body }: Call<"updateRule">): RuleInfo & { success: true } {
  const rule = changed(ruleOf(parts, id), body);
  checkRule(parts, rule);
  const event = ruleEvent("rule.updated", key.id, rule);
  const detail = { ...event.detail, members: changedMembers(body) };
  mutate(parts, { ...event, detail }, () => parts.store.rules.update(rule));
  return { success: true, ...describeRule(rule) };
}

function changed(before: Rule, body: Call<"updateRule">["body"]): Rule {
  const action = body.action ?? before.action;
  return {
    ...before,
    name: body.name ?? before.name,
    hostPattern: body.hostPattern?.toLowerCase() ?? before.hostPattern,
    pathPattern: body.pathPattern === undefined ? before.pathPattern : body.pathPattern,
    methods: body.method === undefined ? before.methods : methodsOf(body.method),
    action,
    enabled: body.enabled ?? before.enabled,
    agentId: body.agentId === undefined ? before.agentId : body.agentId,
    rateLimit: rateLimitOf(action, body, before.rateLimit),
  };
}

function methodsOf(method: HttpMethod | HttpMethod[] | null | undefined): readonly HttpMethod[] | null {
  if (method === null || method === undefined) return null;
  return Array.isArray(method) ? [...new Set(method)] : [method];
}

type LimitMembers = Pick<Call<"createRule">["body"], "rateLimit" | "rateLimitWindow">;

/** @throws ApiError 400 when a limit is incomplete, or stands on a rule that would ignore it */
function rateLimitOf(
  action: Rule["action"],
  { rateLimit, rateLimitWindow }: LimitMembers,
  before: RateLimit | null,
): RateLimit | null {
  if (action !== "rate_limit") {
    const sent = rateLimit != null ? "rateLimit" : rateLimitWindow != null ? "rateLimitWindow" : null;
    if (sent !== null) throw invalid(sent, "belongs to rules with the action rate_limit only");
    return null;
  }
  const count = rateLimit === undefined ? before?.count : rateLimit;
  const window = rateLimitWindow === undefined ? before?.window : rateLimitWindow;
  if (count == null) throw invalid("rateLimit", "is required with the action rate_limit");
  if (window == null) throw invalid("rateLimitWindow", "is required with the action rate_limit");
  return { count, window };
}

function ruleOf({ store }: ApiParts, id: string): Rule {
  const rule = store.rules.get(id);
  if (rule === undefined) throw notFound("rule");
  return rule;
}

function ruleEvent(action: string, actor: string, rule: Rule) {
  const { id, name, hostPattern, enabled, agentId } = rule;
  return { action, actor, target: id, detail: { name, effect: rule.action, hostPattern, enabled, agentId } };
}

function describeRule(rule: Rule): RuleInfo {
  const { id, name, hostPattern, pathPattern, action, enabled, agentId, rateLimit } = rule;
  const [method, ...others] = rule.methods ?? [];
  return {
    id,
    name,
    hostPattern,
    pathPattern,
    method: method === undefined ? null : others.length === 0 ? method : [method, ...others],
    action,
    enabled,
    agentId,
    rateLimit: rateLimit?.count ?? null,
    rateLimitWindow: rateLimit?.window ?? null,
    scope: "project",
    metadata: null,
    conditions: null,
    createdAt: iso(rule.createdAt),
  };
}
