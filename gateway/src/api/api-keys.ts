// Keys of the control plane: stored as a hash, shown once.
import { randomUUID } from "node:crypto";
import { hashToken } from "../agents/token.ts";
import { limits } from "../limits.ts";
import type { ApiKey } from "../model.ts";
import { makeApiKey, previewOfKey } from "./api-key.ts";
import type { ApiParts } from "./contract.ts";
import { type Call, type Handlers, iso, mutate } from "./handler.ts";
import { conflict, notFound, requireRoom } from "./problem.ts";

type Names = "user" | "apiKey" | "regenerateApiKey" | "listApiKeys" | "createApiKey" | "deleteApiKey";

export function apiKeyHandlers(parts: ApiParts): Handlers<Names> {
  return {
    user({ key }) {
      const { id, name, role, createdAt } = key;
      return { id, name, role, email: `${role}@localhost`, createdAt: iso(createdAt) };
    },
    apiKey: ({ key }) => ({ apiKey: key.preview }),
    regenerateApiKey: (call) => regenerate(parts, call),
    listApiKeys: () => parts.store.apiKeys.list().map(describeKey),
    createApiKey: (call) => createApiKey(parts, call),
    deleteApiKey: (call) => deleteApiKey(parts, call),
  };
}

/** The id stays: agents that the key made remain its own. */
function regenerate({ store, ...parts }: ApiParts, { key }: Call<"regenerateApiKey">): { apiKey: string } {
  const apiKey = makeApiKey();
  const renewed: ApiKey = { ...key, hash: hashToken(apiKey), preview: previewOfKey(apiKey) };
  mutate({ store, ...parts }, keyEvent("api_key.regenerated", key, renewed), () => {
    store.apiKeys.delete(key.id);
    store.apiKeys.insert(renewed);
  });
  return { apiKey };
}

function createApiKey(parts: ApiParts, { key, body }: Call<"createApiKey">) {
  const apiKey = makeApiKey();
  const made: ApiKey = {
    id: randomUUID(),
    name: body.name,
    role: body.role,
    hash: hashToken(apiKey),
    preview: previewOfKey(apiKey),
    createdAt: parts.clock(),
  };
  mutate(parts, keyEvent("api_key.created", key, made), () => {
    requireRoom(parts.store.apiKeys.list().length, limits.apiKeysMax, "keys");
    parts.store.apiKeys.insert(made);
  });
  return { ...describeKey(made), apiKey };
}

function deleteApiKey(parts: ApiParts, { id, key }: Call<"deleteApiKey">): void {
  const keys = parts.store.apiKeys.list();
  const target = keys.find((candidate) => candidate.id === id);
  if (target === undefined) throw notFound("API key");
  if (!keys.some(({ role, ...other }) => role === "admin" && other.id !== id)) {
    throw conflict("the last admin key can't be deleted: create another one first");
  }
  mutate(parts, keyEvent("api_key.deleted", key, target), () => parts.store.apiKeys.delete(id));
}

function describeKey({ id, name, role, preview, createdAt }: ApiKey) {
  return { id, name, role, preview, createdAt: iso(createdAt) };
}

function keyEvent(action: string, actor: ApiKey, { id, name, role }: ApiKey) {
  return { action, actor: actor.id, target: id, detail: { name, role } };
}
