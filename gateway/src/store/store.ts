// What the rest of the gateway may ask of the database. Calls are synchronous on purpose: one writer connection in
// the main thread, shared with the audit's group commit, so a transaction must never span an event-loop turn.
import type { Agent, AgentToken, ApiKey, Credential, Rule } from "../model.ts";

export interface Store {
  /** Runs `work` in one transaction; nested calls join the outer one. A throw rolls everything back. */
  transaction<T>(work: () => T): T;
  readonly meta: MetaStore;
  readonly keys: KeyStore;
  readonly authority: AuthorityStore;
  readonly apiKeys: ApiKeyStore;
  readonly agents: AgentStore;
  readonly tokens: TokenStore;
  readonly secrets: SecretStore;
  readonly rules: RuleStore;
  readonly sealed: SealedColumnStore;
  close(): void;
}

export interface MetaStore {
  get(key: string): string | undefined;
  set(key: string, value: string): void;
}

/** NIST SP 800-57 part 1: an active key seals and opens, a deactivated one only opens, a destroyed one is gone. */
export type KeyState = "active" | "deactivated";

export interface KeyRow {
  readonly id: string;
  readonly wrapped: Uint8Array;
  readonly kekId: string;
  readonly state: KeyState;
  readonly createdAt: number;
}

export interface KeyStore {
  list(): KeyRow[];
  insert(row: KeyRow): void;
  update(id: string, change: Partial<Pick<KeyRow, "wrapped" | "kekId" | "state">>): void;
  delete(id: string): void;
}

export interface AuthorityRow {
  readonly id: string;
  /** PEM */
  readonly certificate: string;
  readonly keySealed: Uint8Array;
  readonly createdAt: number;
}

export interface AuthorityStore {
  get(): AuthorityRow | undefined;
  insert(row: AuthorityRow): void;
}

export interface ApiKeyStore {
  list(): ApiKey[];
  insert(key: ApiKey): void;
  /** false = no such key */
  delete(id: string): boolean;
}

export interface AgentStore {
  list(): Agent[];
  get(id: string): Agent | undefined;
  byIdentifier(identifier: string): Agent | undefined;
  /** The classic token beside the agent: its look-up hash and itself sealed, because it must be shown again. */
  insert(agent: Agent, token: SealedToken): void;
  update(id: string, change: Partial<Pick<Agent, "name" | "secretMode" | "defaultAction">>): void;
  setDefault(id: string): void;
  setSecrets(id: string, secretIds: readonly string[]): void;
  token(id: string): SealedToken | undefined;
  setToken(id: string, token: SealedToken): void;
  delete(id: string): boolean;
}

export interface SealedToken {
  /** SHA-256, hex */
  readonly hash: string;
  readonly sealed: Uint8Array;
}

export interface TokenStore {
  /** Run tokens and the agents' classic tokens, expired ones left out. */
  list(now: number): AgentToken[];
  insert(token: AgentToken, createdAt: number): void;
  delete(agentId: string, id: string): boolean;
  deleteExpired(now: number): number;
}

export interface SecretStore {
  list(): Credential[];
  get(id: string): Credential | undefined;
  insert(credential: Credential, valueSealed: Uint8Array): void;
  update(id: string, credential: Credential): void;
  valueSealed(id: string): Uint8Array | undefined;
  setValue(id: string, valueSealed: Uint8Array): void;
  delete(id: string): boolean;
  /** Tokens that were got with the secret by the agent, the oldest first. */
  issued(bySecretId: string, toAgentId: string): Credential[];
  /** of all secrets and agents */
  issuedCount(): number;
  deleteIssued(bySecretId: string): number;
  /** Issued tokens whose life ended before that time. */
  deleteExpired(before: number): number;
}

export interface RuleStore {
  list(): Rule[];
  get(id: string): Rule | undefined;
  insert(rule: Rule): void;
  update(rule: Rule): void;
  delete(id: string): boolean;
}

/** Every sealed value of the database, for re-encryption under a new key. */
export interface SealedColumnStore {
  /** Rows of all tables with a sealed column, in a stable order, after the given position. */
  page(after: SealedPosition | null, count: number): SealedCell[];
  replace(position: SealedPosition, sealed: Uint8Array): void;
}

export interface SealedPosition {
  readonly table: "agents" | "authority" | "secrets";
  readonly rowId: string;
}

export interface SealedCell extends SealedPosition {
  readonly sealed: Uint8Array;
}
