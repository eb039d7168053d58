// Access tokens of agents: how they are made, looked up, shown and read from Proxy-Authorization.
import { hash, randomBytes } from "node:crypto";
import { limits } from "../limits.ts";

const TOKEN_BYTES = 32;

/** `aoc_` and 64 hex digits: 256 random bits, so that a plain SHA-256 is enough to look it up by. */
export function makeAgentToken(): string {
  return `aoc_${randomBytes(TOKEN_BYTES).toString("hex")}`;
}

/** SHA-256, hex. Comparing hashes leaks nothing about the token, whatever the comparison's timing. */
export function hashToken(text: string): string {
  return hash("sha256", text, "hex");
}

/** `aoc_1234••••••••cdef`; a text too short to keep its middle hidden is masked whole. */
export function maskToken(text: string): string {
  return text.length < 24 ? MASK : `${text.slice(0, 8)}${MASK}${text.slice(-4)}`;
}

const MASK = "••••••••";

/**
 * The token in the value of a Proxy-Authorization field (RFC 9110 section 11.7.2), null when there is none.
 * Basic (RFC 7617): the password, or the user when the password is empty, or the whole text without a colon.
 */
export function proxyCredentials(fieldValue: string): string | null {
  if (fieldValue.length > limits.proxyCredentialsBytesMax) return null;
  const match = /^([A-Za-z]+) +([A-Za-z0-9._~+/-]+=*)[ \t]*$/.exec(fieldValue);
  const [, scheme = "", credentials = ""] = match ?? [];
  if (scheme.toLowerCase() === "bearer") return credentials;
  return scheme.toLowerCase() === "basic" ? basicToken(credentials) : null;
}

function basicToken(encoded: string): string | null {
  const text = decodeBasic(encoded);
  if (text === null) return null;
  const colon = text.indexOf(":");
  const token = colon === -1 ? text : text.slice(colon + 1) || text.slice(0, colon);
  return token === "" ? null : token;
}

/** Strict: one text has one encoding. RFC 7617 section 2 forbids control characters in both parts. */
function decodeBasic(encoded: string): string | null {
  const bytes = Buffer.from(encoded, "base64");
  if (bytes.toString("base64") !== encoded) return null;
  const text = bytes.toString("utf8");
  const isValid = Buffer.from(text, "utf8").equals(bytes) && !/\p{Cc}/u.test(text);
  return isValid ? text : null;
}
