// Where a connection goes, and how configuration writes it: `name:port`, `address:port`, `[v6]:port`.
import { parseAddress } from "./address.ts";

/** A literal address and a port. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

export interface HostPort {
  /** lower case; IPv6 without brackets */
  readonly host: string;
  readonly port: number;
  readonly kind: "name" | "address";
}

/** null when malformed: a missing port, a name that could be read as a number, an IPv6 address without brackets. */
export function parseHostPort(text: string): HostPort | null {
  const match = /^(?:\[([^[\]]+)\]|([^[\]:]+)):(\d{1,5})$/.exec(text);
  if (match === null) return null;
  const [, bracketed, plain, digits] = match;
  const port = Number(digits);
  if (port < 1 || port > 65_535) return null;
  if (bracketed !== undefined) {
    return bracketed.includes(":") && parseAddress(bracketed) !== null
      ? { host: bracketed.toLowerCase(), port, kind: "address" }
      : null;
  }
  return hostOf(plain ?? "", port);
}

/** The entries of a comma-separated setting. */
export function entriesOf(text: string): string[] {
  return text
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
}

function hostOf(text: string, port: number): HostPort | null {
  if (parseAddress(text) !== null) return { host: text, port, kind: "address" };
  const name = text.toLowerCase().replace(/\.$/, "");
  return isName(name) ? { host: name, port, kind: "name" } : null;
}

const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
/** What a resolver may read as an IPv4 address: decimal, octal or hexadecimal (inet_aton). */
const NUMERIC = /^(?:\d+|0x[\da-f]*)$/;

function isName(name: string): boolean {
  const labels = name.split(".");
  return (
    name.length <= 253 && labels.every((label) => LABEL.test(label)) && !NUMERIC.test(labels.at(-1) ?? "")
  );
}
