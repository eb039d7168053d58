// Host patterns: `api.example.com`, `*.example.com` (any depth, not example.com itself), `*`; each with an optional port.
import { domainToASCII } from "node:url";
import { getPublicSuffix } from "tldts";
import { formatAuthority, parseAuthority } from "../target/authority.ts";
import type { Authority } from "../target/contract.ts";

export const CREDENTIAL_PORT = 443;
const PORT = /:\d+$/;
const SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;

export interface HostPattern {
  readonly kind: "exact" | "wildcard" | "any";
  /** as in an Authority; of a wildcard what follows `*.`; empty for `any` */
  readonly host: string;
  /** null = none written: every port for a rule (a block can't be dodged by another port), 443 for a credential */
  readonly port: number | null;
  /** canonical text */
  readonly pattern: string;
}

export type HostPatternCheck =
  | { readonly ok: true; readonly pattern: string; readonly host: string; readonly port: number | null }
  | { readonly ok: false; readonly message: string };

/** For patterns that were validated when they were saved; null = not a pattern. */
export function parseHostPattern(text: string): HostPattern | null {
  const any = /^\*(?::([1-9]\d{0,4}))?$/.exec(text);
  if (any !== null) return anyHost(any[1]);
  const isWildcard = text.startsWith("*.");
  const written = isWildcard ? text.slice(2) : text;
  const hasPort = PORT.test(written);
  const authority = parseAuthority(written, hasPort ? null : CREDENTIAL_PORT);
  if (authority === null || (isWildcard && authority.kind !== "name")) return null;
  return {
    kind: isWildcard ? "wildcard" : "exact",
    host: authority.host,
    port: hasPort ? authority.port : null,
    pattern: canonicalText(isWildcard, authority, hasPort),
  };
}

/** Says what to write instead when a pattern can't be accepted. */
export function validateHostPattern(text: string, { forSecret }: { forSecret: boolean }): HostPatternCheck {
  const message = shapeProblem(text);
  if (message !== null) return { ok: false, message };
  const parsed = parseHostPattern(text);
  if (parsed === null) return { ok: false, message: notAHost(text) };
  const reach = reachProblem(parsed, forSecret);
  if (reach !== null) return { ok: false, message: reach };
  return { ok: true, pattern: parsed.pattern, host: parsed.host, port: parsed.port };
}

export function matchesHost(pattern: HostPattern, authority: Authority, defaultPort: number | null): boolean {
  const port = pattern.port ?? defaultPort;
  if (port !== null && port !== authority.port) return false;
  if (pattern.kind === "any") return true;
  if (pattern.kind === "exact") return pattern.host === authority.host;
  return authority.kind === "name" && authority.host.endsWith(`.${pattern.host}`);
}

function anyHost(digits: string | undefined): HostPattern | null {
  const port = digits === undefined ? null : Number(digits);
  if (port !== null && port > 65_535) return null;
  return { kind: "any", host: "", port, pattern: port === null ? "*" : `*:${port}` };
}

function canonicalText(isWildcard: boolean, authority: Authority, hasPort: boolean): string {
  const text = formatAuthority(authority, hasPort ? undefined : authority.port);
  return isWildcard ? `*.${text}` : text;
}

function shapeProblem(text: string): string | null {
  if (text === "") return "must not be empty; write a host, e.g. api.example.com";
  if (/[\s\p{Cc}]/u.test(text)) return "must not contain spaces; write one host, e.g. api.example.com";
  if (SCHEME.test(text))
    return `must not contain a scheme; write the host only${hostOf(text.replace(SCHEME, ""))}`;
  if (text.includes("/"))
    return `must not contain a path; write the host only${hostOf(text)}, and the path in pathPattern`;
  if (text.includes("@")) return "must not contain a user name; write the host only, e.g. api.example.com";
  if (/\*/.test(text.replace(/^\*(?=[.:]|$)/, ""))) {
    return "may contain * only at the start and before a dot; write *.example.com for every host below example.com";
  }
  return isAscii(text) ? null : asciiForm(text);
}

/** Under a public suffix strangers register names, and would be sent the secret. A rule gives nothing away. */
function reachProblem({ kind, host }: HostPattern, forSecret: boolean): string | null {
  if (!forSecret || kind === "exact") return null;
  if (kind === "any")
    return "must name a host, because a secret is never sent everywhere; write e.g. api.example.com";
  if (getPublicSuffix(host, { allowPrivateDomains: true }) !== host) return null;
  return `must not be *.${host}, because anyone can have a name there; write the whole host, or *.example.${host}`;
}

function notAHost(text: string): string {
  if (/^\*\.(?:\[|[\d.]+(?::|$))/.test(text))
    return "can't put *. before an address; write the address itself";
  if (/^[0-9a-f]*:[0-9a-f:.]+$/i.test(text))
    return `must write an IPv6 address in brackets, e.g. [${text}]:443`;
  return "is not a host; write a name such as api.example.com, *.example.com, or an address, and optionally a port from 1 to 65535";
}

function hostOf(text: string): string {
  const host = text.split(/[/?#]/)[0] ?? "";
  return parseHostPattern(host) === null ? "" : `: ${host}`;
}

function isAscii(text: string): boolean {
  return /^[\x20-\x7E]*$/.test(text);
}

function asciiForm(text: string): string {
  const [, star = "", name = "", port = ""] = /^(\*\.)?(.*?)(:\d+)?$/.exec(text) ?? [];
  const ascii = domainToASCII(name);
  const hint = ascii === "" ? "" : `: ${star}${ascii}${port}`;
  return `must be written in ASCII (punycode)${hint}`;
}
