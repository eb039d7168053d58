// The issuer's certificate and key: made once, kept in the store with the key sealed, checked when loaded.
import { type KeyObject, X509Certificate, generateKeyPairSync, randomBytes, randomUUID } from "node:crypto";
import type { Clock } from "../model.ts";
import type { AuthorityRow, Store } from "../store/store.ts";
import type { SealContext, Vault } from "../vault/contract.ts";
import { openPrivateKey, sealPrivateKey } from "../vault/private-key.ts";
import { distinguishedName, publicKeyOf, signedCertificate, toPem } from "./certificate.ts";
import { type Asn1, fromDer } from "./der.ts";
import { AuthorityError } from "./error.ts";
import { authorityExtensions } from "./extensions.ts";

export interface Issuer {
  /** PEM */
  readonly certificate: string;
  readonly name: Asn1;
  readonly key: KeyObject;
  readonly keyIdentifier: Uint8Array;
  /** `ms` since the epoch */
  readonly notBefore: number;
  readonly notAfter: number;
}

export interface IssuerParts {
  readonly store: Pick<Store, "transaction" | "authority">;
  readonly vault: Vault;
  readonly clock: Clock;
}

const LIFETIME_YEARS = 10;
/** for clients whose clock is behind */
export const CLOCK_SKEW_MS = 3_600_000;

/** @throws VaultError, or AuthorityError when the stored authority can't be used */
export function loadIssuer({ store, vault, clock }: IssuerParts): Issuer {
  const row = store.transaction(() => {
    const existing = store.authority.get();
    if (existing !== undefined) return existing;
    const made = newAuthority(vault, clock());
    store.authority.insert(made);
    return made;
  });
  return checked(row, openPrivateKey(vault, sealContext(row.id), row.keySealed), clock());
}

function newAuthority(vault: Vault, now: number): AuthorityRow {
  const id = randomUUID();
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const certificate = toPem(selfSigned(privateKey, publicKey, now));
  return { id, certificate, keySealed: sealPrivateKey(vault, sealContext(id), privateKey), createdAt: now };
}

function selfSigned(privateKey: KeyObject, publicKey: KeyObject, now: number): Buffer {
  // The suffix tells two installations apart in a client's list of authorities.
  const commonName = `OneCLI Gateway CA ${randomBytes(3).toString("hex")}`;
  const name = distinguishedName({ organization: "OneCLI", commonName });
  const key = publicKeyOf(publicKey);
  const content = {
    issuer: name,
    subject: name,
    notBefore: now - CLOCK_SKEW_MS,
    notAfter: new Date(now).setUTCFullYear(new Date(now).getUTCFullYear() + LIFETIME_YEARS),
    publicKey: key,
    extensions: authorityExtensions(key.identifier),
  };
  return signedCertificate(content, privateKey);
}

function checked(row: AuthorityRow, key: KeyObject, now: number): Issuer {
  const certificate = parsed(row.certificate);
  if (!certificate.ca || !certificate.checkPrivateKey(key)) throw damaged();
  const [notBefore, notAfter] = [certificate.validFromDate.getTime(), certificate.validToDate.getTime()];
  if (now >= notAfter) {
    throw new AuthorityError("expired", `the certificate authority expired on ${certificate.validTo}`);
  }
  const { identifier: keyIdentifier } = publicKeyOf(certificate.publicKey);
  const name = subjectOf(certificate.raw);
  return { certificate: row.certificate, name, key, keyIdentifier, notBefore, notAfter };
}

function parsed(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch {
    throw damaged();
  }
}

/** As it is encoded there: a leaf's issuer must equal it byte for byte for most verifiers. */
function subjectOf(der: Uint8Array): Asn1 {
  // version, serialNumber, signature, issuer, validity, subject (RFC 5280 section 4.1)
  const SUBJECT = 5;
  const body = (fromDer(der).value as Asn1[])[0];
  const subject = (body?.value as Asn1[] | undefined)?.[SUBJECT];
  if (subject === undefined) throw damaged();
  return subject;
}

function sealContext(rowId: string): SealContext {
  return { table: "authority", rowId, purpose: "authority-key" };
}

function damaged(): AuthorityError {
  return new AuthorityError(
    "damaged",
    "the stored certificate is not an authority's, or not the one of its key: restore the database from a backup",
  );
}
