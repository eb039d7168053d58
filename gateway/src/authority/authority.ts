// The certificate authority of this installation: TLS contexts for the names that clients ask for.
import { randomBytes } from "node:crypto";
import { type SecureContext, createSecureContext } from "node:tls";
import { KIBI, limits } from "../limits.ts";
import type { CertificateAuthority } from "./contract.ts";
import { AuthorityError } from "./error.ts";
import { type Issuer, type IssuerParts, loadIssuer } from "./issuer.ts";
import { type Leaf, mintLeaf, newLeafKey } from "./leaf.ts";
import { canonicalServerName } from "./server-name.ts";

export interface AuthorityOptions extends IssuerParts {
  readonly leafCacheEntriesMax?: number;
}

/** What OpenSSL allocates for a context, measured. */
const CONTEXT_BYTES = 40 * KIBI;

interface CachedLeaf {
  readonly context: SecureContext;
  /**
   * Never used: it weighs what the context weighs outside of V8's sight, so that evicted contexts are collected.
   * Without it the process grew by 1 GB before V8 saw a reason to.
   */
  readonly weight: Buffer;
  /** `ms` since the epoch; outside of it a new leaf is minted */
  readonly usableFrom: number;
  readonly usableUntil: number;
}

/** Makes the authority at the first start. @throws VaultError, AuthorityError */
export async function openAuthority(options: AuthorityOptions): Promise<CertificateAuthority> {
  const { clock, leafCacheEntriesMax = limits.leafCacheEntriesMax } = options;
  const issuer = loadIssuer(options);
  const mint = leafContexts(issuer);
  // Insertion order is the order of use: a hit moves to the end, the first one is evicted.
  const cache = new Map<string, CachedLeaf>();
  return {
    certificate: issuer.certificate,
    get cachedLeaves() {
      return cache.size;
    },
    secureContext(serverName) {
      const name = canonicalServerName(serverName);
      const now = clock();
      const cached = cache.get(name);
      const leaf = cached !== undefined && isUsable(cached, now) ? cached : mint(name, now);
      cache.delete(name);
      cache.set(name, leaf);
      if (cache.size > leafCacheEntriesMax) cache.delete(cache.keys().next().value!);
      return leaf.context;
    },
  };
}

function leafContexts(issuer: Issuer): (serverName: string, now: number) => CachedLeaf {
  const key = newLeafKey();
  // Shared, so that a session outlives the eviction of its context. The gateway grants nothing by TLS session.
  const ticketKeys = randomBytes(48);
  return (serverName, now) => {
    if (now >= issuer.notAfter) {
      throw new AuthorityError("expired", "the certificate authority has expired");
    }
    const leaf = mintLeaf(issuer, key, serverName, now);
    const context = createSecureContext({
      key: key.privateKey,
      cert: leaf.chain,
      minVersion: "TLSv1.2",
      ticketKeys,
    });
    return { context, weight: Buffer.allocUnsafeSlow(CONTEXT_BYTES), ...usability(leaf, issuer) };
  };
}

function usability({ notBefore, notAfter }: Leaf, issuer: Issuer) {
  // In the authority's own last days there is nothing to renew to.
  const renewBefore = notAfter === issuer.notAfter ? 0 : limits.leafRenewBeforeMs;
  return { usableFrom: notBefore, usableUntil: notAfter - renewBefore };
}

function isUsable({ usableFrom, usableUntil }: CachedLeaf, now: number): boolean {
  return now >= usableFrom && now < usableUntil;
}
