// Secrets: kept sealed, described without their value.
import { randomUUID } from "node:crypto";
import type { SecretInfo } from "@onecli/sdk/contract";
import { limits } from "../limits.ts";
import type { Credential } from "../model.ts";
import { Secret } from "../vault/secret.ts";
import type { ApiParts } from "./contract.ts";
import { type Call, changedMembers, type Handlers, iso, mutate } from "./handler.ts";
import { ApiError, conflict, notFound, requireRoom } from "./problem.ts";
import {
  authModeOf,
  checkCredential,
  checkNewPlaces,
  checkValue,
  issuerWarnings,
  valueWarnings,
} from "./secret-validation.ts";
import { visibleSecrets } from "./visibility.ts";

type Names = "listSecrets" | "createSecret" | "updateSecret" | "deleteSecret" | "rotateSecret";

export function secretHandlers(parts: ApiParts): Handlers<Names> {
  return {
    listSecrets: ({ key }) => visibleSecrets(parts.store, key).map(describeSecret),
    createSecret: (call) => createSecret(parts, call),
    updateSecret: (call) => updateSecret(parts, call),
    deleteSecret({ id, key }) {
      const secret = secretOf(parts, id);
      mutate(parts, secretEvent("secret.deleted", key.id, secret), () => parts.store.secrets.delete(id));
    },
    async rotateSecret({ id, key }) {
      secretOf(parts, id);
      const result = await parts.rotateSecret(id, key.id);
      if (!result.ok) throw new ApiError(422, { error: result.message, code: "rotation_failed" });
      return { success: true, rotatedAt: iso(result.rotatedAt) };
    },
  };
}

const OPENAI_HOST = "api.openai.com";

function createSecret(parts: ApiParts, { key, body }: Call<"createSecret">) {
  const { store, clock } = parts;
  const credential: Credential = {
    id: randomUUID(),
    name: body.name,
    type: body.type,
    authMode: authModeOf(body.type, body.value),
    hostPattern: body.type === "openai" ? OPENAI_HOST : body.hostPattern.toLowerCase(),
    pathPattern: body.pathPattern ?? null,
    methods: body.methods ?? null,
    injections: listOf(body.injectionConfig),
    envName: body.envName ?? null,
    rotation: body.rotation ?? null,
    rotatedAt: null,
    issuesTokens: placeOf(body.issuesTokens ?? null),
    issued: null,
    createdAt: clock(),
  };
  checkCredential(parts, credential);
  checkValue(credential, body.value);
  mutate(parts, secretEvent("secret.created", key.id, credential), () => {
    const stored = store.secrets.list().length - store.secrets.issuedCount();
    requireRoom(stored, limits.secretsMax, "secrets");
    store.secrets.insert(credential, seal(parts, credential.id, body.value));
  });
  return describeCreated(credential, body.value);
}

function updateSecret(parts: ApiParts, { id, key, body }: Call<"updateSecret">): { success: true } {
  const before = secretOf(parts, id);
  if (before.issued !== null) {
    throw conflict("this token was issued by its origin and can't be changed; delete it, or its secret");
  }
  const after = changed(before, body, parts.clock());
  checkCredential(parts, after);
  if (body.value === undefined) checkNewPlaces(before, after);
  else checkValue(after, body.value);
  const event = secretEvent("secret.updated", key.id, after);
  const detail = { ...event.detail, members: changedMembers(body) };
  mutate(parts, { ...event, detail }, () => {
    parts.store.secrets.update(id, after);
    if (reach(before) !== reach(after)) parts.store.secrets.deleteIssued(id);
    if (body.value !== undefined) parts.store.secrets.setValue(id, seal(parts, id, body.value));
  });
  return { success: true };
}

/** Tokens that were got at other places, or for others, are not used on. */
function reach({ hostPattern, pathPattern, methods, issuesTokens }: Credential): string {
  return JSON.stringify([hostPattern, pathPattern, methods, issuesTokens]);
}

function changed(before: Credential, body: Call<"updateSecret">["body"], now: number): Credential {
  const host = before.type === "openai" ? OPENAI_HOST : body.hostPattern?.toLowerCase();
  return {
    ...before,
    name: body.name ?? before.name,
    authMode: body.value === undefined ? before.authMode : authModeOf(before.type, body.value),
    hostPattern: host ?? before.hostPattern,
    pathPattern: orBefore(body.pathPattern, before.pathPattern),
    methods: orBefore(body.methods, before.methods),
    injections: body.injectionConfig === undefined ? before.injections : listOf(body.injectionConfig),
    envName: orBefore(body.envName, before.envName),
    rotation: orBefore(body.rotation, before.rotation),
    rotatedAt: body.value === undefined ? before.rotatedAt : now,
    issuesTokens: placeOf(orBefore(body.issuesTokens, before.issuesTokens)),
  };
}

function placeOf(place: Credential["issuesTokens"]): Credential["issuesTokens"] {
  return place && { ...place, hostPattern: place.hostPattern.toLowerCase() };
}

/** Absent = as it was; null = taken away. */
export function orBefore<T>(sent: T | null | undefined, before: T | null): T | null {
  return sent === undefined ? before : sent;
}

function listOf<T>(config: T | T[] | null | undefined): T[] {
  if (config === null || config === undefined) return [];
  return Array.isArray(config) ? config : [config];
}

function secretOf({ store }: ApiParts, id: string): Credential {
  const secret = store.secrets.get(id);
  if (secret === undefined) throw notFound("secret");
  return secret;
}

function seal({ vault }: ApiParts, id: string, value: string): Uint8Array {
  using plaintext = Secret.of(value);
  return vault.seal({ table: "secrets", rowId: id, purpose: "secret-value" }, plaintext);
}

function secretEvent(action: string, actor: string, { id, name, type, hostPattern }: Credential) {
  return { action, actor, target: id, detail: { name, type, hostPattern } };
}

function describeSecret(secret: Credential): SecretInfo {
  const { id, name, type, hostPattern, pathPattern, envName, rotation, authMode } = secret;
  const [first, ...others] = secret.injections;
  return {
    id,
    name,
    type,
    valueSource: "inline",
    opRef: null,
    hostPattern,
    pathPattern,
    methods: secret.methods === null ? null : [...secret.methods],
    injectionConfig: first === undefined ? null : others.length === 0 ? first : [first, ...others],
    envName,
    metadata: authMode === null ? null : { authMode },
    rotation,
    rotatedAt: secret.rotatedAt === null ? null : iso(secret.rotatedAt),
    issuesTokens: secret.issuesTokens,
    issued: describeIssued(secret),
    scope: "project",
    createdAt: iso(secret.createdAt),
    typeLabel: typeLabel(secret),
  };
}

function describeIssued({ issued }: Credential): SecretInfo["issued"] {
  if (issued === null) return null;
  const { bySecretId, toAgentId, expiresAt } = issued;
  return { bySecretId, toAgentId, expiresAt: expiresAt === null ? null : iso(expiresAt) };
}

function typeLabel({ type, authMode, issued }: Credential): string {
  if (issued !== null) return "Issued Token";
  if (type === "anthropic") return authMode === "oauth" ? "Anthropic OAuth Token" : "Anthropic API Key";
  return type === "openai" ? "OpenAI API Key" : "Generic Secret";
}

function describeCreated(credential: Credential, value: string) {
  const { id, name, type, valueSource, opRef, hostPattern, pathPattern, createdAt } =
    describeSecret(credential);
  const warnings = [...valueWarnings(value), ...issuerWarnings(credential)];
  const described = { id, name, type, valueSource, opRef, hostPattern, pathPattern, createdAt };
  return { ...described, preview: previewOf(value), ...(warnings.length === 0 ? {} : { warnings }) };
}

const PREVIEW_CHARACTERS_MIN = 16;

/** At most 4 and 4 characters of a long value, nothing of a short one. */
function previewOf(value: string): string {
  const characters = Array.from(value);
  if (characters.length < PREVIEW_CHARACTERS_MIN) return "••••••••";
  return `${characters.slice(0, 4).join("")}••••••••${characters.slice(-4).join("")}`;
}
