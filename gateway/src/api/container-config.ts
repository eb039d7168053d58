// What a launcher must know to send a container through the gateway: environment, CA, fake keys.
import { randomUUID } from "node:crypto";
import type { ContainerConfig, Placeholder } from "@onecli/sdk/contract";
import type { Agent, ApiKey, Credential } from "../model.ts";
import { agentEvent, insertAgent } from "./agents.ts";
import {
  bypassEnvironment,
  CA_CONTAINER_PATH,
  proxyEnvironment,
  trustEnvironment,
  vendorEnvironment,
} from "./container-environment.ts";
import type { ApiParts } from "./contract.ts";
import { type Handlers, mutate } from "./handler.ts";
import { ApiError } from "./problem.ts";
import { gatewaySkill } from "./skill.ts";
import { canSee } from "./visibility.ts";

type Names = "containerConfig" | "gatewayUrl" | "gatewayCa" | "gatewaySkill";

export function containerConfigHandlers(parts: ApiParts): Handlers<Names> {
  const { settings, caCertificate } = parts;
  const bundle = bundleOf(parts);
  return {
    containerConfig({ key, query }) {
      const agent =
        query.agent === undefined ? defaultAgent(parts, key) : namedAgent(parts, key, query.agent);
      return containerConfig(parts, agent, bundle());
    },
    gatewayUrl: ({ host }) => ({ url: settings.publicUrl(host) }),
    gatewayCa: () => caCertificate,
    gatewaySkill: ({ host }) => gatewaySkill(settings.publicUrl(host)),
  };
}

/** About 200 KB that never change: made once, when first asked for. */
function bundleOf(parts: ApiParts): () => string {
  let bundle: string | undefined;
  return () => (bundle ??= `${parts.caCertificate.trimEnd()}\n${parts.publicRoots()}`);
}

function containerConfig(parts: ApiParts, agent: Agent, caCertificate: string): ContainerConfig {
  const stored = ({ issued }: Credential) => issued === null;
  const credentials = parts.policy.credentialsOf(agent.id).filter(stored);
  const placeholders = placeholdersOf(parts, agent, credentials);
  const warnings = warningsOf(placeholders);
  return {
    env: {
      ...proxyEnvironment(parts.settings, parts.agentToken(agent.id)),
      ...vendorEnvironment(credentials),
      ...bypassEnvironment(parts.settings),
      ...trustEnvironment,
      ...Object.fromEntries(placeholders.flatMap(({ env, value }) => (env === null ? [] : [[env, value]]))),
    },
    caCertificate,
    caCertificateContainerPath: CA_CONTAINER_PATH,
    ...(warnings.length > 0 && { warnings }),
    ...(placeholders.length > 0 && { placeholders }),
  };
}

/** Fake keys for secrets that are swapped for one, or that the agent's programs read from a variable. */
function placeholdersOf(parts: ApiParts, agent: Agent, credentials: readonly Credential[]): Placeholder[] {
  const wanted = credentials.filter(
    ({ envName, injections }) => envName !== null || injections.some((one) => "placeholder" in one),
  );
  return wanted.map((credential) => ({
    secret: credential.name,
    env: credential.envName,
    hostPattern: credential.hostPattern,
    value: parts.placeholder(agent.id, credential),
  }));
}

function warningsOf(placeholders: readonly Placeholder[]): string[] {
  const byName = Map.groupBy(placeholders, ({ env }) => env);
  return [...byName].flatMap(([env, group]) => {
    if (env === null || group.length < 2) return [];
    const names = group.map(({ secret }) => `"${secret}"`);
    return [`${names.join(" and ")} share the variable ${env}: ${names.at(-1)} is used`];
  });
}

function namedAgent({ store }: ApiParts, key: ApiKey, identifier: string): Agent {
  const agent = store.agents.byIdentifier(identifier);
  if (agent === undefined || !canSee(key, agent)) throw agentNotFound(identifier);
  return agent;
}

function agentNotFound(agentIdentifier: string): ApiError {
  const error = `No agent with identifier "${agentIdentifier}"`;
  return new ApiError(404, { error, code: "AGENT_NOT_FOUND", agentIdentifier });
}

const DEFAULT_IDENTIFIER = "default";

function defaultAgent(parts: ApiParts, key: ApiKey): Agent {
  const { store } = parts;
  const existing = store.agents.list().find((agent) => agent.isDefault);
  if (existing !== undefined && canSee(key, existing)) return existing;
  // It can use every secret, so a runner key neither gets nor makes it.
  if (existing !== undefined || key.role !== "admin") throw agentNotFound(DEFAULT_IDENTIFIER);
  return store.agents.byIdentifier(DEFAULT_IDENTIFIER) === undefined
    ? makeDefaultAgent(parts, key)
    : markDefault(parts, key);
}

function makeDefaultAgent(parts: ApiParts, key: ApiKey): Agent {
  const agent: Agent = {
    id: randomUUID(),
    name: "Default Agent",
    identifier: DEFAULT_IDENTIFIER,
    isDefault: true,
    secretMode: "all",
    defaultAction: null,
    createdBy: null,
    secretIds: [],
    createdAt: parts.clock(),
  };
  mutate(parts, agentEvent("agent.created", key, agent), () => insertAgent(parts, agent));
  return agent;
}

/** Somebody made an agent of that name before there was a default one. */
function markDefault(parts: ApiParts, key: ApiKey): Agent {
  const agent = namedAgent(parts, key, DEFAULT_IDENTIFIER);
  mutate(parts, agentEvent("agent.default_set", key, agent), () => parts.store.agents.setDefault(agent.id));
  return { ...agent, isDefault: true };
}
