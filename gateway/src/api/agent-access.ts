// What an agent can use: its tokens, its secrets, its secret mode.
import { randomUUID } from "node:crypto";
import { hashToken, makeAgentToken } from "../agents/token.ts";
import { limits } from "../limits.ts";
import type { AgentToken } from "../model.ts";
import { agentEvent, sealToken } from "./agents.ts";
import type { ApiParts } from "./contract.ts";
import { type Call, type Handlers, iso, mutate } from "./handler.ts";
import { ApiError, notFound, requireRoom } from "./problem.ts";
import { visibleAgent } from "./visibility.ts";

type Names =
  | "regenerateToken"
  | "createToken"
  | "deleteToken"
  | "agentSecrets"
  | "setAgentSecrets"
  | "setSecretMode";

export function agentAccessHandlers(parts: ApiParts): Handlers<Names> {
  return {
    regenerateToken: (call) => regenerateToken(parts, call),
    createToken: (call) => createToken(parts, call),
    deleteToken: (call) => deleteToken(parts, call),
    agentSecrets: ({ id, key }) => [...visibleAgent(parts.store, key, id).secretIds],
    setAgentSecrets: (call) => setAgentSecrets(parts, call),
    setSecretMode({ id, key, body }) {
      const agent = visibleAgent(parts.store, key, id);
      const event = agentEvent("agent.secret_mode_set", key, agent);
      const detail = { ...event.detail, mode: body.mode };
      mutate(parts, { ...event, detail }, () => parts.store.agents.update(id, { secretMode: body.mode }));
      return { success: true };
    },
  };
}

function regenerateToken(parts: ApiParts, { id, key }: Call<"regenerateToken">): { accessToken: string } {
  const agent = visibleAgent(parts.store, key, id);
  const accessToken = makeAgentToken();
  const event = agentEvent("agent.token_regenerated", key, agent);
  mutate(parts, event, () => parts.store.agents.setToken(id, sealToken(parts, id, accessToken)));
  return { accessToken };
}

function createToken(parts: ApiParts, { id, key, body }: Call<"createToken">) {
  const { store, clock } = parts;
  const agent = visibleAgent(store, key, id);
  const now = clock();
  const accessToken = makeAgentToken();
  const expiresAt = now + body.ttlSeconds * 1000;
  const hash = hashToken(accessToken);
  const token: AgentToken = { id: randomUUID(), agentId: id, hash, labels: body.labels, expiresAt };
  const event = agentEvent("agent.token_created", key, agent);
  const detail = { ...event.detail, tokenId: token.id, ttlSeconds: body.ttlSeconds };
  mutate(parts, { ...event, detail }, () => {
    requireRoom(runTokens(parts, id, now), limits.runTokensPerAgentMax, "live tokens of this agent");
    store.tokens.insert(token, now);
  });
  return { id: token.id, accessToken, expiresAt: iso(expiresAt) };
}

function runTokens({ store }: ApiParts, agentId: string, now: number): number {
  const tokens = store.tokens.list(now);
  return tokens.filter((token) => token.agentId === agentId && token.expiresAt !== null).length;
}

function deleteToken(parts: ApiParts, { id, tokenId, key }: Call<"deleteToken">): void {
  const agent = visibleAgent(parts.store, key, id);
  const event = agentEvent("agent.token_deleted", key, agent);
  const detail = { ...event.detail, tokenId };
  mutate(parts, { ...event, detail }, () => {
    if (!parts.store.tokens.delete(id, tokenId)) throw notFound("token");
  });
}

function setAgentSecrets(parts: ApiParts, { id, key, body }: Call<"setAgentSecrets">): { success: true } {
  const { store } = parts;
  const agent = visibleAgent(store, key, id);
  const secretIds = [...new Set(body.secretIds)];
  // An issued token follows its secret.
  const stored = store.secrets.list().filter(({ issued }) => issued === null);
  const known = new Set(stored.map((secret) => secret.id));
  if (!secretIds.every((secretId) => known.has(secretId))) {
    throw new ApiError(400, { error: "One or more secrets not found", field: "secretIds" });
  }
  const event = agentEvent("agent.secrets_set", key, agent);
  const detail = { ...event.detail, secretIds };
  mutate(parts, { ...event, detail }, () => store.agents.setSecrets(id, secretIds));
  return { success: true };
}
