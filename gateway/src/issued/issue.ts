// Fresh tokens become credentials of the agent that asked for them: sealed, on record, in use from the next request on.
import { randomUUID } from "node:crypto";
import type { Audit } from "../audit/contract.ts";
import { randomPlaceholder } from "../inject/placeholder.ts";
import { limits } from "../limits.ts";
import type { Clock, Credential, Injection } from "../model.ts";
import type { Store } from "../store/store.ts";
import type { Vault } from "../vault/contract.ts";
import { Secret } from "../vault/secret.ts";
import type { FreshToken, Issue, TokenIssuer, TokenKind } from "./contract.ts";

export interface TokenIssuerParts {
  readonly store: Pick<Store, "transaction" | "secrets" | "agents">;
  readonly vault: Pick<Vault, "seal">;
  readonly audit: Pick<Audit, "control">;
  readonly clock: Clock;
  /** the values in use; undefined = unknown or not to be opened */
  readonly plaintext: (credentialId: string) => Secret | undefined;
  /** the fake key that the agent holds for a credential */
  readonly placeholder: (agentId: string, credential: Credential) => string;
  /** After the tokens are committed; they are in use when it returns. */
  readonly changed: () => void;
}

export function createTokenIssuer(parts: TokenIssuerParts): TokenIssuer {
  return {
    issue(issue) {
      const run = parts.store.transaction(() => keep(parts, issue));
      if (run.isChanged) parts.changed();
      return run.placeholders;
    },
  };
}

interface Run {
  readonly parts: TokenIssuerParts;
  readonly issue: Issue;
  /** the secret that an administrator stored, as it is now */
  readonly root: Root;
  /** this secret's tokens of this agent; grows */
  readonly held: Credential[];
  /** placeholders of the tokens that this run saw, by kind and value: one answer may name a token twice */
  readonly seen: Map<string, string>;
  isChanged: boolean;
}

type Root = Credential & { readonly issuesTokens: NonNullable<Credential["issuesTokens"]> };

function keep(
  parts: TokenIssuerParts,
  issue: Issue,
): { readonly placeholders: readonly string[]; readonly isChanged: boolean } {
  const root = rootOf(parts, issue);
  const held = parts.store.secrets.issued(root.id, issue.agentId);
  const run: Run = { parts, issue, root, held, seen: new Map(), isChanged: false };
  const placeholders = issue.tokens.map((token) => placeholderOf(run, token));
  if (run.isChanged) dropOldest(run);
  return { placeholders, isChanged: run.isChanged };
}

function rootOf({ store }: TokenIssuerParts, { issuer }: Issue): Root {
  const root = store.secrets.get(issuer.issued?.bySecretId ?? issuer.id);
  if (root === undefined || root.issuesTokens === null)
    throw new Error("the secret issues no tokens any more");
  return { ...root, issuesTokens: root.issuesTokens };
}

function placeholderOf(run: Run, token: FreshToken): string {
  const key = `${token.kind} ${token.value}`;
  const placeholder = run.seen.get(key) ?? knownOrNew(run, token);
  run.seen.set(key, placeholder);
  return placeholder;
}

function knownOrNew(run: Run, token: FreshToken): string {
  const { parts, issue, root } = run;
  using fresh = Secret.of(token.value);
  const isSame = ({ id }: Credential) => parts.plaintext(id)?.equals(fresh) ?? false;
  // A server that does not rotate refresh tokens sends the same one again (RFC 6749 section 6).
  if (token.kind === "refresh" && isSame(root)) return parts.placeholder(issue.agentId, root);
  const known = run.held.find((held) => isRefresh(held) === (token.kind === "refresh") && isSame(held));
  if (known?.issued) return extended(run, known, token);
  return inserted(run, token, fresh);
}

/** Said again with a later end, it lives longer. */
function extended({ parts, held }: Run, known: Credential, token: FreshToken): string {
  const expiresAt = endOf(parts, token);
  const issued = known.issued as NonNullable<Credential["issued"]>;
  if (issued.expiresAt !== null && (expiresAt === null || expiresAt > issued.expiresAt)) {
    const longer = { ...known, issued: { ...issued, expiresAt } };
    parts.store.secrets.update(known.id, longer);
    held[held.indexOf(known)] = longer;
  }
  return issued.placeholder;
}

function inserted(run: Run, token: FreshToken, fresh: Secret): string {
  const { parts, issue } = run;
  const { store, vault } = parts;
  if (store.secrets.issuedCount() >= limits.issuedTokensMax) throw new Error("too many issued tokens");
  const placeholder = randomPlaceholder();
  const credential = credentialOf(run, token, placeholder);
  const { id } = credential;
  store.secrets.insert(
    credential,
    vault.seal({ table: "secrets", rowId: id, purpose: "secret-value" }, fresh),
  );
  run.held.push(credential);
  run.isChanged = true;
  parts.audit.control({
    action: "secret.token_issued",
    actor: "gateway",
    target: id,
    detail: {
      name: credential.name,
      bySecretId: run.root.id,
      agentId: issue.agentId,
      agent: store.agents.get(issue.agentId)?.identifier ?? null,
      hostPattern: credential.hostPattern,
    },
  });
  return placeholder;
}

const names: Readonly<Record<TokenKind, string>> = {
  access: "access token",
  id: "ID token",
  refresh: "refresh token",
};

/**
 * Access tokens stand in a field or the query (RFC 6750 section 2); not in bodies, because then every upload to their
 * host would be held. Refresh tokens go back in a form (RFC 6749 section 6).
 */
const surfaces: Readonly<Record<"refresh" | "other", readonly Injection[]>> = {
  refresh: [{ placeholder: ["header", "query", "body"] }],
  other: [{ placeholder: ["header", "query"] }],
};

function credentialOf({ parts, issue, root }: Run, token: FreshToken, placeholder: string): Credential {
  const isRefresh = token.kind === "refresh";
  const place = isRefresh ? root : { ...root.issuesTokens, methods: null };
  return {
    id: randomUUID(),
    name: `${root.name}: ${names[token.kind]}`,
    type: "generic",
    authMode: null,
    hostPattern: place.hostPattern,
    pathPattern: place.pathPattern,
    methods: place.methods,
    injections: surfaces[isRefresh ? "refresh" : "other"],
    envName: null,
    rotation: null,
    rotatedAt: null,
    // What a refresh token is answered with are tokens again.
    issuesTokens: isRefresh ? root.issuesTokens : null,
    issued: {
      bySecretId: root.id,
      toAgentId: issue.agentId,
      placeholder,
      expiresAt: endOf(parts, token),
    },
    createdAt: parts.clock(),
  };
}

function isRefresh(issued: Credential): boolean {
  return issued.issuesTokens !== null;
}

function endOf({ clock }: TokenIssuerParts, { expiresInSeconds }: FreshToken): number | null {
  return expiresInSeconds === null ? null : Math.ceil(clock() + expiresInSeconds * 1000);
}

/** Never one of this call: its exchange would lose its right while the answer is on its way. */
function dropOldest({ parts, issue, held, seen }: Run): void {
  const kept = new Set(seen.values());
  for (const group of [held.filter(isRefresh), held.filter((token) => !isRefresh(token))]) {
    const droppable = group.filter(
      ({ id, issued }) => !issue.placedIds.includes(id) && !kept.has(issued?.placeholder ?? ""),
    );
    const excess = Math.max(0, group.length - limits.issuedTokensPerSecretMax);
    for (const { id } of droppable.slice(0, excess)) parts.store.secrets.delete(id);
  }
}
