// Agents: create, name, delete, and what of them is shown.
import { randomUUID } from "node:crypto";
import type { Agent as AgentInfo } from "@onecli/sdk/contract";
import { hashToken, makeAgentToken, maskToken } from "../agents/token.ts";
import { limits } from "../limits.ts";
import type { Agent, ApiKey } from "../model.ts";
import type { SealedToken } from "../store/store.ts";
import { Secret } from "../vault/secret.ts";
import type { ApiParts } from "./contract.ts";
import { type Call, changedMembers, type Handlers, iso, mutate } from "./handler.ts";
import { ApiError, conflict, forbidden, invalid, notFound, requireRoom } from "./problem.ts";
import { canSee, visibleAgent, visibleAgents } from "./visibility.ts";

type Names =
  | "listAgents"
  | "createAgent"
  | "defaultAgent"
  | "updateAgent"
  | "deleteAgent"
  | "setDefaultAgent";

export function agentHandlers(parts: ApiParts): Handlers<Names> {
  const { store } = parts;
  return {
    listAgents: ({ key }) => visibleAgents(store, key).map((agent) => describeAgent(parts, agent)),
    createAgent: (call) => createAgent(parts, call),
    defaultAgent({ key }) {
      const agent = store.agents.list().find((agent) => agent.isDefault);
      if (agent === undefined || !canSee(key, agent)) throw notFound("default agent");
      return describeAgent(parts, agent);
    },
    updateAgent: (call) => updateAgent(parts, call),
    deleteAgent: (call) => deleteAgent(parts, call),
    setDefaultAgent({ id, key }) {
      const agent = visibleAgent(store, key, id);
      const event = agentEvent("agent.default_set", key, agent);
      mutate(parts, event, () => store.agents.setDefault(id));
      return { success: true };
    },
  };
}

/** A new agent with a token of its own; the caller makes it one transaction with its audit event. */
export function insertAgent(parts: ApiParts, agent: Agent): void {
  requireRoom(parts.store.agents.list().length, limits.agentsMax, "agents");
  parts.store.agents.insert(agent, sealToken(parts, agent.id, makeAgentToken()));
}

export function sealToken({ vault }: ApiParts, agentId: string, token: string): SealedToken {
  using plaintext = Secret.of(token);
  const sealed = vault.seal({ table: "agents", rowId: agentId, purpose: "agent-token" }, plaintext);
  return { hash: hashToken(token), sealed };
}

export function agentEvent(action: string, key: ApiKey, agent: Agent) {
  return { action, actor: key.id, target: agent.id, detail: { identifier: agent.identifier } };
}

function describeAgent(parts: ApiParts, agent: Agent): AgentInfo {
  const { id, name, identifier, isDefault, secretMode, defaultAction } = agent;
  return {
    id,
    name,
    identifier,
    accessToken: maskToken(parts.agentToken(id)),
    isDefault,
    secretMode,
    defaultAction,
    createdAt: iso(agent.createdAt),
    _count: { agentSecrets: agent.secretIds.length, agentAppConnections: 0 },
  };
}

function createAgent(parts: ApiParts, { key, body }: Call<"createAgent">) {
  if (parts.store.agents.byIdentifier(body.identifier) !== undefined) {
    throw conflict("An agent with this identifier already exists");
  }
  const agent: Agent = {
    id: randomUUID(),
    name: body.name,
    identifier: body.identifier,
    isDefault: false,
    ...rightsOf(parts, key, body),
    createdBy: key.id,
    createdAt: parts.clock(),
  };
  mutate(parts, agentEvent("agent.created", key, agent), () => insertAgent(parts, agent));
  return { id: agent.id, name: agent.name, identifier: agent.identifier, createdAt: iso(agent.createdAt) };
}

type Rights = Pick<Agent, "secretMode" | "secretIds" | "defaultAction">;

/** A right that a runner key mints is never larger than those that an administrator gave to its agents. */
function rightsOf(parts: ApiParts, key: ApiKey, body: Call<"createAgent">["body"]): Rights {
  if (key.role === "runner") refuseWidening(body);
  const parent =
    body.parentIdentifier === undefined ? undefined : parentOf(parts, key, body.parentIdentifier);
  const unnamed = key.role === "runner" ? "selective" : "all";
  return {
    secretMode: body.secretMode ?? parent?.secretMode ?? unnamed,
    secretIds: parent?.secretIds ?? [],
    defaultAction: body.defaultAction ?? parent?.defaultAction ?? null,
  };
}

function parentOf({ store }: ApiParts, key: ApiKey, identifier: string): Agent {
  const parent = store.agents.byIdentifier(identifier);
  if (parent === undefined || !canSee(key, parent)) {
    throw invalid("parentIdentifier", "there is no agent with this identifier");
  }
  if (key.role === "runner" && store.rules.list().some((rule) => rule.agentId === parent.id)) {
    const hint = "the rules that name the parent would not hold for the new agent";
    throw forbidden("copying from this agent needs a key with the role admin", hint);
  }
  return parent;
}

function refuseWidening(body: {
  secretMode?: string | undefined;
  defaultAction?: string | null | undefined;
}): void {
  const isWider = (body.secretMode ?? "selective") !== "selective";
  const isLaxer = body.defaultAction !== undefined && body.defaultAction !== "deny";
  if (isWider || isLaxer) {
    throw forbidden(
      `${isWider ? "secretMode" : "defaultAction"}: widening it needs a key with the role admin`,
    );
  }
}

function updateAgent(parts: ApiParts, { id, key, body }: Call<"updateAgent">): { success: true } {
  const agent = visibleAgent(parts.store, key, id);
  if (key.role === "runner") refuseWidening(body);
  const event = agentEvent("agent.updated", key, agent);
  const detail = { ...event.detail, members: changedMembers(body) };
  mutate(parts, { ...event, detail }, () => parts.store.agents.update(id, definedOnly(body)));
  return { success: true };
}

function definedOnly(body: Call<"updateAgent">["body"]) {
  const { name, secretMode, defaultAction } = body;
  return {
    ...(name === undefined ? {} : { name }),
    ...(secretMode === undefined ? {} : { secretMode }),
    ...(defaultAction === undefined ? {} : { defaultAction }),
  };
}

function deleteAgent(parts: ApiParts, { id, key }: Call<"deleteAgent">): void {
  const agent = visibleAgent(parts.store, key, id);
  if (agent.isDefault) throw new ApiError(400, { error: "Cannot delete the default agent" });
  mutate(parts, agentEvent("agent.deleted", key, agent), () => parts.store.agents.delete(id));
}
