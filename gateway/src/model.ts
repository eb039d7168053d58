// The nouns that several folders share. Plain readonly data, parsed at the edge, trusted inside.
import type {
  DefaultAction,
  HttpMethod,
  Injection,
  IssuesTokens,
  RateLimitWindow,
  Role,
  Rotation,
  RuleAction,
  SecretMode,
  SecretType,
  TokenLabels,
} from "@onecli/sdk/contract";

export type { DefaultAction, HttpMethod, Injection, Role, SecretMode, SecretType, TokenLabels };

export interface Agent {
  readonly id: string;
  readonly name: string;
  readonly identifier: string;
  readonly isDefault: boolean;
  readonly secretMode: SecretMode;
  /** null = what the configuration says */
  readonly defaultAction: DefaultAction | null;
  /** id of the admin key that made it; a `runner` key may touch only its own */
  readonly createdBy: string | null;
  /** ids of the assigned secrets; they count in mode `selective` */
  readonly secretIds: readonly string[];
  /** `ms` since the epoch */
  readonly createdAt: number;
}

/** Proves which agent calls. The classic token lives as long as its agent, a run's token expires. */
export interface AgentToken {
  readonly id: string;
  readonly agentId: string;
  /** SHA-256 of the token, hex */
  readonly hash: string;
  readonly labels: TokenLabels;
  /** `ms` since the epoch; null = never */
  readonly expiresAt: number | null;
}

/** What is known about a secret without its plaintext. */
export interface Credential {
  readonly id: string;
  readonly name: string;
  readonly type: SecretType;
  /** anthropic only */
  readonly authMode: "api-key" | "oauth" | null;
  readonly hostPattern: string;
  /** null = every path */
  readonly pathPattern: string | null;
  /** null = every method */
  readonly methods: readonly HttpMethod[] | null;
  readonly injections: readonly Injection[];
  readonly envName: string | null;
  readonly rotation: Rotation | null;
  /** `ms` since the epoch */
  readonly rotatedAt: number | null;
  /** where the tokens belong that its origin answers with; null = answers are not read for tokens */
  readonly issuesTokens: IssuesTokens | null;
  /** set on a token that an origin issued; null = an administrator stored it */
  readonly issued: IssuedToken | null;
  readonly createdAt: number;
}

/** A token out of a token endpoint's answer (RFC 6749 section 5.1). Its agent holds the placeholder. */
export interface IssuedToken {
  /** the stored secret that it was got with, also when another issued token stood in between */
  readonly bySecretId: string;
  /** the only agent that may use it */
  readonly toAgentId: string;
  readonly placeholder: string;
  /** `ms` since the epoch; null = the origin did not say */
  readonly expiresAt: number | null;
}

export interface RateLimit {
  readonly count: number;
  readonly window: RateLimitWindow;
}

export interface Rule {
  readonly id: string;
  readonly name: string;
  readonly hostPattern: string;
  /** null = every path */
  readonly pathPattern: string | null;
  /** null = every method */
  readonly methods: readonly HttpMethod[] | null;
  readonly action: RuleAction;
  readonly enabled: boolean;
  /** null = every agent */
  readonly agentId: string | null;
  /** set exactly when the action is `rate_limit` */
  readonly rateLimit: RateLimit | null;
  readonly createdAt: number;
}

/** A key of the control plane. */
export interface ApiKey {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  /** SHA-256, hex */
  readonly hash: string;
  /** `oc_1234••••cdef` */
  readonly preview: string;
  readonly createdAt: number;
}

/** Time is passed in, so that tests and decisions own it. `ms` since the epoch. */
export type Clock = () => number;
