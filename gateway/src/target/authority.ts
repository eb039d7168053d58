// One strict parser for every authority a client names: CONNECT target, Host, `:authority`, absolute form
// (RFC 3986 section 3.2, RFC 9112 section 3.2). What it does not accept is refused, never repaired.
import { limits } from "../limits.ts";
import { formatIpv6, isIpv4, parseIpv6 } from "./ip.ts";
import type { Authority } from "./contract.ts";

const LABEL_BYTES_MAX = 63;
const PORT_MAX = 65_535;
/** no colon, brackets or userinfo: what stands before the port, and the port itself */
const HOST_AND_PORT = /^(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+)(?::([1-9][0-9]{0,4}))?$/;
/** Hyphens stay inside a label (RFC 5890 section 2.3.1); underscores are allowed because real hosts have them. */
const LABEL = /^[0-9a-z_](?:[0-9a-z_-]*[0-9a-z_])?$/;
/** A last label that makes a URL parser read the whole name as an IPv4 address (WHATWG URL, "ends in a number"). */
const NUMBER = /^(?:\d+|0x[0-9a-f]*)$/;

/** `defaultPort` null = the port must be written. */
export function parseAuthority(text: string, defaultPort: number | null): Authority | null {
  // beyond the name: one trailing dot, a colon and five digits
  if (text.length > limits.hostNameBytesMax + 7) return null;
  const parts = HOST_AND_PORT.exec(text);
  if (parts === null) return null;
  const port = parts[2] === undefined ? defaultPort : Number(parts[2]);
  if (port === null || port > PORT_MAX) return null;
  return parseHost(parts[1] ?? "", port);
}

/** The port is left out when it is the default one. */
export function formatAuthority(authority: Authority, defaultPort?: number): string {
  const host = authority.kind === "ipv6" ? `[${authority.host}]` : authority.host;
  return authority.port === defaultPort ? host : `${host}:${authority.port}`;
}

export function sameAuthority(a: Authority, b: Authority): boolean {
  return a.host === b.host && a.port === b.port;
}

function parseHost(text: string, port: number): Authority | null {
  if (text.startsWith("[")) return ipv6Authority(text.slice(1, -1), port);
  const host = (text.endsWith(".") ? text.slice(0, -1) : text).toLowerCase();
  if (isIpv4(host)) return { host, port, kind: "ipv4" };
  return isName(host) ? { host, port, kind: "name" } : null;
}

/** An IPv4-mapped address is the IPv4 address: one destination has one spelling, so no rule on it can be dodged. */
function ipv6Authority(text: string, port: number): Authority | null {
  const groups = parseIpv6(text);
  if (groups === null) return null;
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (!mapped) return { host: formatIpv6(groups), port, kind: "ipv6" };
  const bytes = groups.slice(6).flatMap((group) => [group >> 8, group & 0xff]);
  return { host: bytes.join("."), port, kind: "ipv4" };
}

function isName(host: string): boolean {
  if (host.length === 0 || host.length > limits.hostNameBytesMax) return false;
  const labels = host.split(".");
  if (!labels.every((label) => label.length <= LABEL_BYTES_MAX && LABEL.test(label))) return false;
  return !NUMBER.test(labels.at(-1) ?? "");
}
