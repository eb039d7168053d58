// The certificate extensions of RFC 5280 section 4.2.1 that the gateway's certificates carry.
import { isIP } from "node:net";
import { addressBytes } from "./server-name.ts";
import {
  type Asn1,
  bitString,
  boolean,
  implicit,
  integer,
  octetString,
  oid,
  sequence,
  toDer,
} from "./der.ts";

const oids = {
  subjectKeyIdentifier: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  authorityKeyIdentifier: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",
  serverAuth: "1.3.6.1.5.5.7.3.1",
} as const;

const CRITICAL = true;

/** An authority for server certificates only, that signs no other authority. */
export function authorityExtensions(keyIdentifier: Uint8Array): Asn1[] {
  const noFurtherAuthority = integer(Uint8Array.of(0));
  // Bits 5 and 6 from the left: keyCertSign, cRLSign.
  const certificateSigning = bitString(Uint8Array.of(0b0000_0110), 1);
  return [
    extension(oids.basicConstraints, sequence(boolean(true), noFurtherAuthority), CRITICAL),
    extension(oids.keyUsage, certificateSigning, CRITICAL),
    serverAuthentication(),
    subjectKeyIdentifier(keyIdentifier),
  ];
}

export interface LeafIdentity {
  readonly serverName: string;
  readonly hasSubject: boolean;
  readonly keyIdentifier: Uint8Array;
  readonly authorityKeyIdentifier: Uint8Array;
}

export function leafExtensions(leaf: LeafIdentity): Asn1[] {
  // Bit 0 from the left: digitalSignature.
  const digitalSignature = bitString(Uint8Array.of(0b1000_0000), 7);
  return [
    extension(oids.basicConstraints, sequence(), CRITICAL),
    extension(oids.keyUsage, digitalSignature, CRITICAL),
    serverAuthentication(),
    subjectKeyIdentifier(leaf.keyIdentifier),
    extension(oids.authorityKeyIdentifier, sequence(implicit(0, leaf.authorityKeyIdentifier))),
    // Section 4.2.1.6: critical when the subject is empty.
    extension(oids.subjectAltName, sequence(generalName(leaf.serverName)), !leaf.hasSubject),
  ];
}

function generalName(serverName: string): Asn1 {
  if (isIP(serverName) !== 0) return implicit(7, addressBytes(serverName));
  return implicit(2, Buffer.from(serverName, "ascii"));
}

function serverAuthentication(): Asn1 {
  return extension(oids.extendedKeyUsage, sequence(oid(oids.serverAuth)));
}

function subjectKeyIdentifier(identifier: Uint8Array): Asn1 {
  return extension(oids.subjectKeyIdentifier, octetString(identifier));
}

function extension(id: string, value: Asn1, critical = false): Asn1 {
  const wrapped = octetString(toDer(value));
  // DER leaves a default out, and `critical` is false by default.
  return critical ? sequence(oid(id), boolean(true), wrapped) : sequence(oid(id), wrapped);
}
