// Leaf certificates: what a client sees in place of the origin's own.
import { type KeyObject, generateKeyPairSync } from "node:crypto";
import { limits } from "../limits.ts";
import { type PublicKey, distinguishedName, publicKeyOf, signedCertificate, toPem } from "./certificate.ts";
import { leafExtensions } from "./extensions.ts";
import { CLOCK_SKEW_MS, type Issuer } from "./issuer.ts";

/** Upper bound of a common name (RFC 5280 appendix A.1, ub-common-name). */
const COMMON_NAME_CHARACTERS_MAX = 64;

export interface LeafKey {
  /** PEM, for the TLS context */
  readonly privateKey: string;
  readonly publicKey: PublicKey;
}

export interface Leaf {
  /** PEM, followed by its issuer's */
  readonly chain: string;
  /** `ms` since the epoch */
  readonly notBefore: number;
  readonly notAfter: number;
}

/**
 * One for all leaves of the process: they live in the same memory and end with it, so that a key each
 * would protect nothing and cost a key generation a name.
 */
export function newLeafKey(): LeafKey {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { privateKey: pemOf(privateKey), publicKey: publicKeyOf(publicKey) };
}

/** For a canonical server name. */
export function mintLeaf(issuer: Issuer, key: LeafKey, serverName: string, now: number): Leaf {
  const hasSubject = serverName.length <= COMMON_NAME_CHARACTERS_MAX;
  const notBefore = Math.max(now - CLOCK_SKEW_MS, issuer.notBefore);
  const notAfter = Math.min(now + limits.leafLifetimeMs - CLOCK_SKEW_MS, issuer.notAfter);
  const extensions = leafExtensions({
    serverName,
    hasSubject,
    keyIdentifier: key.publicKey.identifier,
    authorityKeyIdentifier: issuer.keyIdentifier,
  });
  const subject = distinguishedName(hasSubject ? { commonName: serverName } : {});
  const content = {
    issuer: issuer.name,
    subject,
    notBefore,
    notAfter,
    publicKey: key.publicKey,
    extensions,
  };
  return { chain: toPem(signedCertificate(content, issuer.key)) + issuer.certificate, notBefore, notAfter };
}

function pemOf(key: KeyObject): string {
  return key.export({ format: "pem", type: "pkcs8" });
}
