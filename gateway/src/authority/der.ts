// ASN.1 values by name (X.690 DER), on node-forge's encoder.
// Only the encoder is loaded: the rest of the library takes time and memory at every start.
import type forge from "node-forge";
import asn1 from "node-forge/lib/asn1.js";
import util from "node-forge/lib/util.js";

const { Class, Type } = asn1;

export type Asn1 = forge.asn1.Asn1;

export const sequence = (...items: Asn1[]) => asn1.create(Class.UNIVERSAL, Type.SEQUENCE, true, items);
export const set = (...items: Asn1[]) => asn1.create(Class.UNIVERSAL, Type.SET, true, items);
export const oid = (dotted: string) => primitive(Type.OID, asn1.oidToDer(dotted).getBytes());
export const boolean = (value: boolean) => primitive(Type.BOOLEAN, value ? "\xff" : "\x00");
export const integer = (bytes: Uint8Array) => primitive(Type.INTEGER, binary(bytes));
export const octetString = (bytes: Uint8Array) => primitive(Type.OCTETSTRING, binary(bytes));
export const utf8String = (text: string) => primitive(Type.UTF8, util.encodeUtf8(text));

/** `unused` bits at the end do not count. */
export function bitString(bytes: Uint8Array, unused = 0): Asn1 {
  return primitive(Type.BITSTRING, binary(Uint8Array.of(unused, ...bytes)));
}

/** RFC 5280 section 4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050 on. */
export function time(ms: number): Asn1 {
  const date = new Date(ms);
  if (date.getUTCFullYear() < 2050) return primitive(Type.UTCTIME, asn1.dateToUtcTime(date));
  return primitive(Type.GENERALIZEDTIME, asn1.dateToGeneralizedTime(date));
}

/** [tag] EXPLICIT */
export function explicit(tag: number, item: Asn1): Asn1 {
  return Object.assign(sequence(item), { tagClass: Class.CONTEXT_SPECIFIC, type: tag });
}

/** [tag] IMPLICIT of a primitive type */
export function implicit(tag: number, bytes: Uint8Array): Asn1 {
  return Object.assign(octetString(bytes), { tagClass: Class.CONTEXT_SPECIFIC, type: tag });
}

export function toDer(item: Asn1): Buffer {
  return Buffer.from(asn1.toDer(item).getBytes(), "latin1");
}

export function fromDer(der: Uint8Array): Asn1 {
  return asn1.fromDer(binary(der));
}

function primitive(type: forge.asn1.Type, bytes: string): Asn1 {
  return asn1.create(Class.UNIVERSAL, type, false, bytes);
}

function binary(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}
