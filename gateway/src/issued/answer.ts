// The body of a token endpoint's answer: which tokens stand in it, and the same body with others in their place.
import { limits } from "../limits.ts";
import type { FreshToken, TokenKind } from "./contract.ts";
import { type Member, membersOf } from "./members.ts";

/** A body that can't be passed on: it may carry tokens, and not for certain which. */
export class UnreadableTokens extends Error {}

export interface TokenAnswer {
  readonly tokens: readonly FreshToken[];
  /** The body with these in the tokens' places, in order. */
  replaced(placeholders: readonly string[]): Buffer;
}

/**
 * null = no tokens in it.
 * @param contentType as the origin wrote it; a body that looks like JSON is read as JSON whatever it says
 * @throws UnreadableTokens
 */
export function tokenAnswer(contentType: string, body: Buffer): TokenAnswer | null {
  const type = contentType.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  const text = utf8(body);
  if (text === null || text.trim() === "") return withoutTokens(body);
  if (isJsonType(type) || /^\s*[{[]/.test(text)) return answerOf(text, tokensInJson(text));
  if (type === "application/x-www-form-urlencoded") return answerOf(text, tokensInForm(text));
  return withoutTokens(body);
}

/** A token with its place: what stands from `start` to `end` gives way to what `write` makes. */
interface Found extends FreshToken {
  readonly start: number;
  readonly end: number;
  readonly write: (placeholder: string) => string;
}

function answerOf(text: string, found: readonly Found[]): TokenAnswer | null {
  if (found.length === 0) return null;
  if (found.length > limits.issuedTokensPerAnswerMax) throw new UnreadableTokens("too many tokens");
  return {
    tokens: found.map(({ kind, value, expiresInSeconds }) => ({ kind, value, expiresInSeconds })),
    replaced: (placeholders) => Buffer.from(replace(text, found, placeholders), "utf8"),
  };
}

function replace(text: string, found: readonly Found[], placeholders: readonly string[]): string {
  let out = "";
  let at = 0;
  for (const [index, { start, end, write }] of found.entries()) {
    const placeholder = placeholders[index];
    if (placeholder === undefined) throw new UnreadableTokens("a token has no placeholder");
    out += text.slice(at, start) + write(placeholder);
    at = end;
  }
  return out + text.slice(at);
}

/** RFC 6749 section 5.1, at any depth and in camel case too: some endpoints wrap it or spell it so. */
const kinds: Readonly<Record<string, TokenKind>> = {
  accesstoken: "access",
  idtoken: "id",
  refreshtoken: "refresh",
};
const lifetimes: Readonly<Record<TokenKind, readonly string[]>> = {
  access: ["expiresin"],
  id: ["expiresin"],
  refresh: ["refreshtokenexpiresin", "refreshexpiresin"],
};

function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[_-]/g, "");
}

function tokensInJson(text: string): Found[] {
  const members = membersOf(text);
  if (members === null) throw new UnreadableTokens("not JSON, or a name stands in it twice");
  const objects = Map.groupBy(members, ({ object }) => object);
  return members.flatMap((member) => {
    const kind = kinds[plain(member.name)];
    const value = kind === undefined ? null : tokenValue(JSON_SCALAR.test(member.text) && member.text);
    if (kind === undefined || value === null) return [];
    const among = (objects.get(member.object) ?? []).map(({ name, text }) => [name, scalar(text)] as const);
    const end = member.start + member.text.length;
    const write = (placeholder: string) => JSON.stringify(placeholder);
    return [{ kind, value, expiresInSeconds: lifetime(kind, among), start: member.start, end, write }];
  });
}

const JSON_SCALAR = /^(?:"|null$)/;

/** @param written JSON text; false = something that a token can't be */
function tokenValue(written: string | false): string | null {
  if (written === false) throw new UnreadableTokens("a token is not a string");
  return checked(scalar(written) ?? "");
}

/** RFC 6749 appendix A.12: visible ASCII and space, so that it can stand in a header field. */
function checked(value: string): string | null {
  if (value === "") return null;
  if (!/^[\x20-\x7e]+$/.test(value)) throw new UnreadableTokens("a token holds other than ASCII characters");
  return value;
}

function scalar(text: Member["text"]): string | null {
  if (text === "{" || text === "[") return null;
  const value: unknown = JSON.parse(text);
  return typeof value === "string" || typeof value === "number" ? String(value) : null;
}

/** Not in the RFC; GitHub answers so unless it is asked for JSON. */
function tokensInForm(text: string): Found[] {
  const pairs = formPairs(text);
  if (new Set(pairs.map(({ name }) => name)).size !== pairs.length) {
    throw new UnreadableTokens("a name stands in it twice");
  }
  const among = pairs.map(({ name, value }) => [name, value] as const);
  return pairs.flatMap((pair) => {
    const kind = kinds[plain(pair.name)];
    const value = kind === undefined ? null : checked(pair.value);
    if (kind === undefined || value === null) return [];
    const { start, end } = pair;
    return [{ kind, value, expiresInSeconds: lifetime(kind, among), start, end, write: encodeURIComponent }];
  });
}

interface Pair {
  readonly name: string;
  readonly value: string;
  readonly start: number;
  readonly end: number;
}

function formPairs(text: string): Pair[] {
  return [...text.matchAll(/[^&]+/g)].map(({ 0: written, index }) => {
    const equals = written.includes("=") ? written.indexOf("=") : written.length;
    const value = written.slice(equals + 1);
    const end = index + written.length;
    return { name: decoded(written.slice(0, equals)), value: decoded(value), start: end - value.length, end };
  });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    throw new UnreadableTokens("not a form");
  }
}

function lifetime(kind: TokenKind, among: readonly (readonly [string, string | null])[]): number | null {
  const told = among.find(([name]) => lifetimes[kind].includes(plain(name)))?.[1];
  const seconds = told === undefined || told === null || told.trim() === "" ? Number.NaN : Number(told);
  const isKnown = seconds > 0 && seconds * 1000 <= limits.issuedTokenLifetimeMsMax;
  return isKnown ? seconds : null;
}

/** What is neither JSON nor a form must not name a token; without zero bytes, so that UTF-16 is seen too. */
function withoutTokens(body: Buffer): null {
  const text = plain(body.toString("latin1").replaceAll("\0", ""));
  const named = Object.keys(kinds).some((name) => text.includes(name));
  if (named) throw new UnreadableTokens("it names a token and is neither JSON nor a form");
  return null;
}

/** RFC 8259 section 11, RFC 6839 section 3.1 */
function isJsonType(type: string): boolean {
  return type === "application/json" || type === "text/json" || type.endsWith("+json");
}

function utf8(body: Buffer): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch {
    return null;
  }
}
