// The configuration in the form that requests ask it: immutable, indexed, swapped whole.
import type { Agent, Credential } from "../model.ts";
import type { Authority } from "../target/contract.ts";
import type { Identity, PolicyInput, Route, Snapshot } from "./contract.ts";
import {
  type CompiledCredential,
  type CredentialIndex,
  credentialIndex,
  credentialsFor,
} from "./credential-index.ts";
import { parseHostPattern } from "./match-host.ts";
import { type RuleIndex, ruleIndex, rulesFor } from "./rule-index.ts";
import type { RuleNode } from "./rule-tree.ts";

/** What a Route really holds. */
export interface CompiledRoute extends Route {
  readonly rules: readonly RuleNode[];
  readonly credentials: readonly CompiledCredential[];
}

interface Compiled {
  readonly input: PolicyInput;
  readonly agents: ReadonlyMap<string, Agent>;
  /** ids, by agent in mode `selective` */
  readonly assigned: ReadonlyMap<string, ReadonlySet<string>>;
  readonly rules: RuleIndex;
  readonly credentials: CredentialIndex;
}

export function compileSnapshot(input: PolicyInput): Snapshot {
  const compiled = compile(input);
  const identities = identitiesByHash(input, compiled.agents);
  return {
    revision: input.revision,
    namedPorts: namedPorts(input),
    identify: (tokenHash) => identities.get(tokenHash),
    agent: (id) => compiled.agents.get(id),
    route: (agentId, authority) => routeFor(compiled, agentId, authority),
    credentialsOf: (agentId) =>
      input.credentials.filter((credential) => mayUse(compiled, compiled.agents.get(agentId), credential)),
  };
}

function compile(input: PolicyInput): Compiled {
  const selective = input.agents.filter((agent) => agent.secretMode === "selective");
  return {
    input,
    agents: new Map(input.agents.map((agent) => [agent.id, agent])),
    assigned: new Map(selective.map((agent) => [agent.id, new Set(agent.secretIds)])),
    rules: ruleIndex(input.rules),
    credentials: credentialIndex(input.credentials),
  };
}

/** An agent that is gone meets the rules for everyone, a default of deny, and no credential. */
function routeFor(compiled: Compiled, agentId: string, authority: Authority): CompiledRoute {
  const agent = compiled.agents.get(agentId);
  const credentials = credentialsFor(compiled.credentials, authority).filter(({ credential }) =>
    mayUse(compiled, agent, credential),
  );
  return {
    reachable: credentials.map(({ credential }) => credential),
    defaultAction: agent === undefined ? "deny" : (agent.defaultAction ?? compiled.input.defaultAction),
    rules: rulesFor(compiled.rules, agentId, authority),
    credentials,
  };
}

function mayUse({ assigned }: Compiled, agent: Agent | undefined, credential: Credential): boolean {
  if (agent === undefined) return false;
  const { issued } = credential;
  if (issued !== null && issued.toAgentId !== agent.id) return false;
  // What was got with a secret is used with the right to that secret, and goes with it.
  const id = issued === null ? credential.id : issued.bySecretId;
  return agent.secretMode === "all" || (assigned.get(agent.id)?.has(id) ?? false);
}

function identitiesByHash(
  input: PolicyInput,
  agents: ReadonlyMap<string, Agent>,
): ReadonlyMap<string, Identity> {
  const identities = new Map<string, Identity>();
  for (const token of input.tokens) {
    const agent = agents.get(token.agentId);
    if (agent !== undefined) identities.set(token.hash, { agent, token });
  }
  return identities;
}

/** A block names what must not be reached: its port opens nothing. Nor does a rule that is switched off. */
function namedPorts({ rules, credentials }: PolicyInput): ReadonlySet<number> {
  const naming = rules.filter((rule) => rule.enabled && rule.action !== "block");
  const patterns = [...naming, ...credentials].map(({ hostPattern }) => hostPattern).filter(mayNamePort);
  const ports = patterns.map((pattern) => parseHostPattern(pattern)?.port ?? null);
  return new Set(ports.filter((port) => port !== null));
}

/** Most patterns have no port; parsing them all again would double the time to compile. */
function mayNamePort(pattern: string): boolean {
  return pattern.includes(":");
}
