// What a key may see: a `runner` key its own agents and what concerns them, the others everything.
import type { Agent, ApiKey, Credential, Rule } from "../model.ts";
import type { Store } from "../store/store.ts";
import { notFound } from "./problem.ts";

export function canSee(key: ApiKey, agent: Agent): boolean {
  return key.role !== "runner" || agent.createdBy === key.id;
}

export function visibleAgents(store: Store, key: ApiKey): readonly Agent[] {
  return store.agents.list().filter((agent) => canSee(key, agent));
}

/** @throws ApiError 404 for another key's agent too: a runner can't learn that it exists */
export function visibleAgent(store: Store, key: ApiKey, id: string): Agent {
  const agent = store.agents.get(id);
  if (agent === undefined || !canSee(key, agent)) throw notFound("agent");
  return agent;
}

export function visibleSecrets(store: Store, key: ApiKey): readonly Credential[] {
  if (key.role !== "runner") return store.secrets.list();
  const agents = visibleAgents(store, key);
  const own = new Set(agents.map((agent) => agent.id));
  const assigned = new Set(agents.flatMap((agent) => agent.secretIds));
  const hasAll = agents.some((agent) => agent.secretMode === "all");
  return store.secrets
    .list()
    .filter(({ id, issued }) => (issued === null ? hasAll || assigned.has(id) : own.has(issued.toAgentId)));
}

export function visibleRules(store: Store, key: ApiKey): readonly Rule[] {
  if (key.role !== "runner") return store.rules.list();
  const own = new Set(visibleAgents(store, key).map((agent) => agent.id));
  return store.rules.list().filter((rule) => rule.agentId === null || own.has(rule.agentId));
}
