// Decides on the binary address, at dial time, whether a connection may go there: the Internet, what the operator
// named, and never the gateway itself.
import { networkInterfaces } from "node:os";
import type { Authority } from "../target/contract.ts";
import {
  type AddressBytes,
  type Prefix,
  inPrefix,
  parseAddress,
  parsePrefix,
  sameBytes,
  unmapped,
} from "./address.ts";
import { type AddressClass, classify, embeddedAddresses } from "./address-class.ts";
import { type Endpoint, entriesOf, parseHostPort } from "./endpoint.ts";

export interface AddressGuardOptions {
  /**
   * `name:port`, `address`, `address:port`, `prefix/length`, separated by commas. A metadata service must be named by
   * its very address: neither a prefix around it nor a name that resolves to it lifts it.
   */
  readonly allowPrivate: string;
  /** where the gateway listens, asked at each check; a wildcard address stands for every local one */
  readonly ownAddresses: () => readonly Endpoint[];
}

export interface AddressGuard {
  /** @param endpoint what would be connected to for `authority` */
  permits(authority: Authority, endpoint: Endpoint): boolean;
  /** Ports that the configuration names. */
  readonly allowedPorts: ReadonlySet<number>;
}

/** @throws RangeError that names the entry */
export function createAddressGuard({ allowPrivate, ownAddresses }: AddressGuardOptions): AddressGuard {
  const exceptions = entriesOf(allowPrivate).map(parseException);
  return {
    permits(authority, endpoint) {
      const found = classify(endpoint.address);
      const bytes = parseAddress(endpoint.address);
      if (found === null || bytes === null || isOwn(bytes, endpoint.port, ownAddresses())) return false;
      if (found.class === "public") return true;
      const destination = { authority, bytes: unmapped(bytes), port: endpoint.port, class: found.class };
      return exceptions.some((exception) => lifts(exception, destination));
    },
    allowedPorts: new Set(exceptions.flatMap(({ port }) => (port === null ? [] : [port]))),
  };
}

type Exception =
  | { readonly kind: "name"; readonly host: string; readonly port: number }
  | { readonly kind: "prefix"; readonly prefix: Prefix; readonly port: number | null };

interface Destination {
  readonly authority: Authority;
  readonly bytes: AddressBytes;
  readonly port: number;
  readonly class: AddressClass;
}

/** No TCP connection is meant for these; the unspecified address would reach the gateway's own machine. */
const NEVER: ReadonlySet<AddressClass> = new Set(["multicast", "unspecified"]);

function lifts(exception: Exception, destination: Destination): boolean {
  if (NEVER.has(destination.class)) return false;
  if (exception.kind === "name") {
    const { host, port } = destination.authority;
    return destination.class !== "metadata" && host === exception.host && port === exception.port;
  }
  const exact = exception.prefix.length === exception.prefix.bytes.length * 8;
  if (destination.class === "metadata" && !exact) return false;
  return (
    inPrefix(exception.prefix, destination.bytes) &&
    (exception.port === null || exception.port === destination.port)
  );
}

function parseException(entry: string): Exception {
  const endpoint = parseHostPort(entry);
  if (endpoint?.kind === "name") return { kind: "name", host: endpoint.host, port: endpoint.port };
  const prefix = parsePrefix(endpoint?.host ?? entry.replace(/^\[([^\]/]*:[^\]/]*)\]$/, "$1"));
  if (prefix === null) {
    throw new RangeError(
      `"${entry}" is none of name:port, address, address:port, prefix/length (with the bits after the prefix zero)`,
    );
  }
  return { kind: "prefix", prefix: unmappedPrefix(prefix), port: endpoint?.port ?? null };
}

/** Destinations are compared unmapped, so `::ffff:10.0.0.1` in the configuration means 10.0.0.1. */
function unmappedPrefix(prefix: Prefix): Prefix {
  const bytes = unmapped(prefix.bytes);
  return bytes.length === prefix.bytes.length || prefix.length < 96
    ? prefix
    : { bytes, length: prefix.length - 96 };
}

/** Through any writing of it: an address that only carries the gateway's own one counts too. */
function isOwn(bytes: AddressBytes, port: number, own: readonly Endpoint[]): boolean {
  const listening = own.filter((endpoint) => endpoint.port === port);
  if (listening.length === 0) return false;
  const readings = [unmapped(bytes), ...embeddedAddresses(bytes)];
  return listening.some(({ address }) => readings.some((reading) => reaches(reading, address)));
}

function reaches(bytes: AddressBytes, listening: string): boolean {
  // A listener without a zone-free address (`fe80::1%eth0`) is compared without its zone.
  const listener = parseAddress(listening.replace(/%.*$/, ""));
  if (listener === null) return false;
  const wildcard = listener.every((byte) => byte === 0);
  return wildcard ? isLocal(bytes) : sameBytes(bytes, unmapped(listener));
}

const LOOPBACK_V4 = { bytes: Uint8Array.of(127, 0, 0, 0), length: 8 };

function isLocal(bytes: AddressBytes): boolean {
  if (inPrefix(LOOPBACK_V4, bytes) || bytes.every((byte) => byte === 0)) return true;
  return Object.values(networkInterfaces()).some((addresses) =>
    addresses?.some(({ address }) => {
      const local = parseAddress(address.replace(/%.*$/, ""));
      return local !== null && sameBytes(local, bytes);
    }),
  );
}
