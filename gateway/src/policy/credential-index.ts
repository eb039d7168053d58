// Credentials by host pattern, each list in the order of placement.
import type { Credential } from "../model.ts";
import type { Authority } from "../target/contract.ts";
import { entryOf, type HostIndex, lookUp } from "./host-index.ts";
import { CREDENTIAL_PORT, parseHostPattern } from "./match-host.ts";
import { compilePath, literalLength, type PathPattern } from "./match-path.ts";

export interface CompiledCredential {
  readonly credential: Credential;
  readonly path: PathPattern;
}

export type CredentialIndex = HostIndex<CompiledCredential[]>;

/** A credential whose patterns can't be read is placed nowhere. */
export function credentialIndex(credentials: readonly Credential[]): CredentialIndex {
  const index: CredentialIndex = new Map();
  for (const credential of [...credentials].sort(byPlacement)) {
    const pattern = parseHostPattern(credential.hostPattern);
    const path = compilePath(credential.pathPattern);
    if (pattern === null || pattern.kind === "any" || path === null) continue;
    const port = pattern.port ?? CREDENTIAL_PORT;
    entryOf(index, { ...pattern, port }, () => [] as CompiledCredential[]).push({ credential, path });
  }
  return index;
}

/** The most specific last: what is placed later wins. */
export function credentialsFor(index: CredentialIndex, authority: Authority): CompiledCredential[] {
  return lookUp(index, authority).flat();
}

/** Within one host pattern: the shorter literal path first, then the older. */
function byPlacement(a: Credential, b: Credential): number {
  const length = literalLength(a.pathPattern ?? "*") - literalLength(b.pathPattern ?? "*");
  return length || a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1);
}
