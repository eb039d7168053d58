// X.509 v3 certificates (RFC 5280) on P-256 with ECDSA and SHA-256 (RFC 5758 section 3.2).
import { type KeyObject, createHash, randomBytes, sign } from "node:crypto";
import {
  type Asn1,
  bitString,
  explicit,
  integer,
  oid,
  sequence,
  set,
  time,
  toDer,
  utf8String,
} from "./der.ts";

const SERIAL_BYTES = 16;
const P256_POINT_BYTES = 65;
const oids = {
  ecPublicKey: "1.2.840.10045.2.1",
  prime256v1: "1.2.840.10045.3.1.7",
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  commonName: "2.5.4.3",
  organization: "2.5.4.10",
} as const;

export interface CertificateContent {
  readonly issuer: Asn1;
  readonly subject: Asn1;
  /** `ms` since the epoch */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly publicKey: PublicKey;
  readonly extensions: readonly Asn1[];
}

/** A P-256 public key, as certificates need it. */
export interface PublicKey {
  /** SubjectPublicKeyInfo */
  readonly info: Asn1;
  readonly identifier: Buffer;
}

/** DER, signed with a P-256 key. */
export function signedCertificate(content: CertificateContent, key: KeyObject): Buffer {
  const body = tbsCertificate(content);
  const signature = sign("sha256", toDer(body), { key, dsaEncoding: "der" });
  return toDer(sequence(body, signatureAlgorithm(), bitString(signature)));
}

export function publicKeyOf(key: KeyObject): PublicKey {
  // The point ends the encoding. It is not parsed by forge, which takes it for nested ASN.1 where it looks like that.
  const point = key.export({ format: "der", type: "spki" }).subarray(-P256_POINT_BYTES);
  const info = sequence(sequence(oid(oids.ecPublicKey), oid(oids.prime256v1)), bitString(point));
  // RFC 7093 section 2, method 1: the leftmost 160 bits of SHA-256 of the key.
  return { info, identifier: createHash("sha256").update(point).digest().subarray(0, 20) };
}

/** Empty without a name (RFC 5280 section 4.1.2.6). */
export function distinguishedName(name: { commonName?: string; organization?: string }): Asn1 {
  const { organization, commonName } = name;
  const parts = [
    ...(organization === undefined ? [] : [attribute(oids.organization, organization)]),
    ...(commonName === undefined ? [] : [attribute(oids.commonName, commonName)]),
  ];
  return sequence(...parts);
}

export function toPem(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

function tbsCertificate(content: CertificateContent): Asn1 {
  const version3 = Uint8Array.of(2);
  return sequence(
    explicit(0, integer(version3)),
    integer(serialNumber()),
    signatureAlgorithm(),
    content.issuer,
    sequence(time(content.notBefore), time(content.notAfter)),
    content.subject,
    content.publicKey.info,
    explicit(3, sequence(...content.extensions)),
  );
}

/** RFC 5280 section 4.1.2.2: positive, at most 20 bytes; DER allows no needless zero in front. */
function serialNumber(): Buffer {
  const serial = randomBytes(SERIAL_BYTES);
  serial[0] = (serial[0]! & 0x7f) | 0x40;
  return serial;
}

function signatureAlgorithm(): Asn1 {
  return sequence(oid(oids.ecdsaWithSha256));
}

function attribute(type: string, value: string): Asn1 {
  return set(sequence(oid(type), utf8String(value)));
}
