// What the control plane asks of the rest of the gateway: a plain record of ports.
import type { auditPage, AuditVerification, auditQuery } from "@onecli/sdk/contract";
import type { z } from "zod";
import type { Audit } from "../audit/contract.ts";
import type { Clock, Credential } from "../model.ts";
import type { Store } from "../store/store.ts";
import type { Vault } from "../vault/contract.ts";

export interface ApiParts {
  readonly store: Store;
  readonly vault: Vault;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly settings: Settings;
  /** PEM of our own CA */
  readonly caCertificate: string;
  /** PEM of the public roots; asked once, it is big */
  publicRoots(): string;
  /** After every committed change, before the answer: the snapshot is compiled and swapped. Must not throw. */
  changed(): void;
  readonly policy: PolicyPorts;
  /** The agent's classic token in full: it must be shown again, so it can be opened. */
  agentToken(agentId: string): string;
  /** The fake key of an agent for a credential. */
  placeholder(agentId: string, credential: Credential): string;
  rotateSecret(id: string, actor: string): Promise<RotationResult>;
  listAudit(query: AuditQuery): AuditPage | Promise<AuditPage>;
  verifyAudit(): Promise<AuditVerification>;
  /** in the Prometheus text format */
  metrics(): Promise<string>;
  /** Of a crash in a handler. Names and positions only, never values. */
  log(message: string, detail: Readonly<Record<string, string>>): void;
}

export interface Settings {
  readonly version: string;
  /** Where a client that used this Host field reaches the API again, e.g. `http://localhost:10254`. */
  publicUrl(host: string): string;
  /** host and port that agents dial */
  readonly proxyHost: string;
  readonly port: number;
  readonly noProxy: readonly string[];
  /** without ports; IPv6 in brackets */
  readonly allowedHosts: readonly string[];
  readonly approvalTimeoutSeconds: number;
  /** `ms`; limits.apiPendingHoldMs when absent */
  readonly pendingHoldMs?: number;
}

export interface PolicyPorts {
  /** Credentials that the agent may use anywhere (secret mode applied), as of the last `changed`. */
  credentialsOf(agentId: string): readonly Credential[];
  validateHostPattern(text: string, purpose: { readonly forSecret: boolean }): PatternResult;
  validatePathPattern(text: string): PatternResult;
  /** The credential that would be placed into the same slot with the same reach. */
  findConflict(candidate: Credential, existing: readonly Credential[]): Credential | null;
}

export type PatternResult = { readonly ok: true } | { readonly ok: false; readonly message: string };

export type RotationResult =
  | { readonly ok: true; readonly rotatedAt: number }
  | { readonly ok: false; readonly message: string };

export type AuditQuery = z.output<typeof auditQuery>;
export type AuditPage = z.infer<typeof auditPage>;
