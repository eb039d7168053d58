// Addresses and prefixes as bytes: the only form that they are compared in.
import { isIPv4, isIPv6 } from "node:net";

/** 4 or 16 bytes, network order. */
export type AddressBytes = Uint8Array;

export interface Prefix {
  readonly bytes: AddressBytes;
  /** significant bits */
  readonly length: number;
}

/** null for anything but a literal address: names, zone ids (`fe80::1%eth0`), octal, hexadecimal and short forms. */
export function parseAddress(text: string): AddressBytes | null {
  if (isIPv4(text)) return parseIpv4(text);
  return isIPv6(text) && !text.includes("%") ? parseIpv6(text) : null;
}

/** `address/length`, or an address alone; null when malformed or when bits beyond the length are set. */
export function parsePrefix(text: string): Prefix | null {
  const [address = "", length, ...rest] = text.split("/");
  const bytes = parseAddress(address);
  if (bytes === null || rest.length > 0) return null;
  const bits = length === undefined ? bytes.length * 8 : parseLength(length, bytes.length * 8);
  if (bits === null || !clearBeyond(bytes, bits)) return null;
  return { bytes, length: bits };
}

export function inPrefix(prefix: Prefix, bytes: AddressBytes): boolean {
  if (bytes.length !== prefix.bytes.length) return false;
  const whole = prefix.length >> 3;
  for (let index = 0; index < whole; index++) if (bytes[index] !== prefix.bytes[index]) return false;
  const rest = prefix.length & 7;
  return rest === 0 || ((bytes[whole] ?? 0) ^ (prefix.bytes[whole] ?? 0)) >> (8 - rest) === 0;
}

/** Whether two literals name the same host: an IPv4-mapped IPv6 address is the IPv4 address (RFC 4291 2.5.5.2). */
export function sameAddress(one: string, other: string): boolean {
  const [a, b] = [parseAddress(one), parseAddress(other)];
  return a !== null && b !== null && sameBytes(unmapped(a), unmapped(b));
}

export function sameBytes(one: AddressBytes, other: AddressBytes): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}

const MAPPED: Prefix = { bytes: parseIpv6("::ffff:0:0"), length: 96 };

/** The IPv4 address inside an IPv4-mapped IPv6 address; any other address as it is. */
export function unmapped(bytes: AddressBytes): AddressBytes {
  return inPrefix(MAPPED, bytes) ? bytes.subarray(12) : bytes;
}

function parseIpv4(text: string): AddressBytes {
  return Uint8Array.from(text.split("."), Number);
}

function parseIpv6(text: string): AddressBytes {
  const [head = "", tail] = text.split("::");
  const left = groupBytes(head);
  const right = tail === undefined ? [] : groupBytes(tail);
  const bytes = new Uint8Array(16);
  bytes.set(left);
  bytes.set(right, 16 - right.length);
  return bytes;
}

function groupBytes(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => {
    if (group.includes(".")) return [...parseIpv4(group)];
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

function parseLength(text: string, max: number): number | null {
  const length = /^(0|[1-9]\d{0,2})$/.test(text) ? Number(text) : max + 1;
  return length <= max ? length : null;
}

function clearBeyond(bytes: AddressBytes, length: number): boolean {
  return bytes.every((byte, index) => {
    const significant = Math.min(8, Math.max(0, length - index * 8));
    return (byte & (0xff >> significant)) === 0;
  });
}
