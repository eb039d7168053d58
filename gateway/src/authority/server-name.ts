// The name or address that a leaf certificate is for, in its one form.
import { isIP } from "node:net";
import { limits } from "../limits.ts";
import { AuthorityError } from "./error.ts";

/** LDH labels (RFC 1123 section 2.1), and the underscore that real names have. */
const LABEL = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/;

/** Lower case, no trailing dot, IPv6 without brackets and compressed as in RFC 5952. @throws AuthorityError */
export function canonicalServerName(serverName: string): string {
  const version = isIP(serverName);
  if (version === 4) return serverName;
  if (version === 6 && !serverName.includes("%")) return canonicalIpv6(serverName);
  const name = serverName.toLowerCase().replace(/\.$/, "");
  const labels = name.split(".");
  // A last label of digits is an address in some readers' eyes (WHATWG URL, "ends in a number").
  const isName = labels.every((label) => LABEL.test(label)) && !/^(\d+|0x[0-9a-f]*)$/.test(labels.at(-1)!);
  if (!isName || name.length > limits.hostNameBytesMax) {
    throw new AuthorityError("bad_server_name", "no certificate can be made for this server name");
  }
  return name;
}

/** 4 or 16 bytes, network byte order, of a canonical address. */
export function addressBytes(address: string): Uint8Array {
  if (isIP(address) === 4) return Uint8Array.from(address.split("."), Number);
  const [head = "", tail] = canonicalIpv6(address).split("::");
  const left = groups(head);
  const right = groups(tail ?? "");
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => 0);
  return Uint8Array.from([...left, ...zeros, ...right].flatMap((group) => [group >> 8, group & 0xff]));
}

function canonicalIpv6(address: string): string {
  return new URL(`http://[${address}]/`).hostname.slice(1, -1);
}

function groups(text: string): number[] {
  return text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
}
