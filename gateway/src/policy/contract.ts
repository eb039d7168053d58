// What the rest of the gateway may ask of the policy decision point (NIST SP 800-162: PDP).
import type { Agent, AgentToken, Credential, DefaultAction, Rule } from "../model.ts";
import type { Authority, Target } from "../target/contract.ts";

export interface PolicyInput {
  readonly revision: number;
  readonly agents: readonly Agent[];
  readonly tokens: readonly AgentToken[];
  readonly rules: readonly Rule[];
  readonly credentials: readonly Credential[];
  readonly defaultAction: DefaultAction;
}

/** Immutable; swapped whole when anything changes. */
export interface Snapshot {
  readonly revision: number;
  /** Agent and token by the SHA-256 hash (hex) of what the client presented; expiry is the caller's to check. */
  identify(tokenHash: string): Identity | undefined;
  agent(id: string): Agent | undefined;
  /** Everything that could matter for this agent at this authority; small, found by host, worth keeping for a tunnel. */
  route(agentId: string, authority: Authority): Route;
  /** Ports that credentials and enabled rules other than blocks name, besides the configured ones. */
  readonly namedPorts: ReadonlySet<number>;
  /** Credentials that the agent may use anywhere (secret mode applied). */
  credentialsOf(agentId: string): readonly Credential[];
}

export interface Identity {
  readonly agent: Agent;
  readonly token: AgentToken;
}

/** Opaque outside policy/, but for `reachable`. */
export interface Route {
  /** what the agent may use somewhere at this authority, whatever the path and method */
  readonly reachable: readonly Credential[];
  readonly defaultAction: DefaultAction;
  readonly rules: readonly unknown[];
  readonly credentials: readonly unknown[];
}

export interface DecisionRequest {
  readonly method: string;
  readonly target: Target;
}

export type Decision =
  | {
      readonly effect: "permit";
      /** the rule that allowed it; null = the default */
      readonly rule: Rule | null;
      /** limits that this call counts against */
      readonly limits: readonly Rule[];
      /** credentials to place, the most specific last */
      readonly credentials: readonly Credential[];
    }
  | { readonly effect: "deny"; readonly code: "blocked_by_policy"; readonly rule: Rule }
  | { readonly effect: "deny"; readonly code: "blocked_by_default_policy"; readonly rule: null };
