// One function a placement: where a real value goes in the outgoing request. The client's own copies go first, so
// that what is injected is the only one that arrives.
import { RE2JS } from "re2js";
import type { Injection } from "../model.ts";
import type { Outgoing } from "./contract.ts";

export function setField(outgoing: Outgoing, name: string, value: string): void {
  removeField(outgoing, name.toLowerCase());
  outgoing.fields.push(name, value);
}

export function removeField(outgoing: Outgoing, lowerName: string): void {
  const { fields } = outgoing;
  let kept = 0;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] as string;
    if (name.length === lowerName.length && name.toLowerCase() === lowerName) continue;
    if (kept !== i) {
      fields[kept] = name;
      fields[kept + 1] = fields[i + 1] as string;
    }
    kept += 2;
  }
  fields.length = kept;
}

export function basicCredentials(username: string, value: string): string {
  return `Basic ${Buffer.from(`${username}:${value}`, "utf8").toString("base64")}`;
}

export function setQueryParameter(outgoing: Outgoing, name: string, value: string): void {
  const written = outgoing.query.slice(1);
  const parts = written === "" ? [] : written.split("&");
  const kept = parts.filter((part) => !namesParameter(part, name));
  kept.push(`${encodeURIComponent(name)}=${encodeURIComponent(value)}`);
  outgoing.query = `?${kept.join("&")}`;
}

/** An origin may decode a parameter's name once, with `+` as space, and ignore its case; so may we. */
function namesParameter(part: string, name: string): boolean {
  const raw = part.split("=", 1)[0] ?? "";
  return raw === name || decoded(raw).toLowerCase() === name.toLowerCase();
}

function decoded(raw: string): string {
  try {
    return decodeURIComponent(raw.replaceAll("+", " "));
  } catch {
    return raw;
  }
}

/** `/bot{value}`: the segments that look like the template are replaced; where none do, the template goes in front. */
export function setPathTemplate(outgoing: Outgoing, template: string, value: string): void {
  const [before = "", after = ""] = template.split("{value}");
  const real = before + encodePathSegment(value) + after;
  const start = segmentStart(outgoing.path, before);
  if (start === -1) {
    outgoing.path = outgoing.path === "/" ? real : real + outgoing.path;
    return;
  }
  const rest = outgoing.path.slice(start + before.length);
  const end = after === "" ? rest.search(/\/|$/) : rest.indexOf(after);
  if (end === -1) return;
  outgoing.path = outgoing.path.slice(0, start) + real + rest.slice(end + after.length);
}

/** Where `before` (which starts with /) begins in the path with at least one character of a value behind it. */
function segmentStart(path: string, before: string): number {
  const start = path.indexOf(before);
  const next = path[start + before.length];
  return start === -1 || next === undefined || next === "/" ? -1 : start;
}

/** RE2: linear in the path whatever the pattern, because the agent chooses the path. False = no match. */
export function replaceInPath(
  outgoing: Outgoing,
  injection: Extract<Injection, { pathRegex: string }>,
  value: string,
): boolean {
  const pattern = compiledPattern(injection.pathRegex);
  const matcher = pattern.matcher(outgoing.path);
  if (!matcher.find()) return false;
  const groups = Array.from({ length: matcher.groupCount() + 1 }, (_, index) => matcher.group(index) ?? "");
  const replaced = injection.pathReplacement
    .replaceAll(/\$(\d)/g, (_, digit: string) => groups[Number(digit)] ?? "")
    .replaceAll("{value}", () => encodePathSegment(value));
  outgoing.path = outgoing.path.slice(0, matcher.start()) + replaced + outgoing.path.slice(matcher.end());
  return outgoing.path.startsWith("/");
}

const PATTERNS_MAX = 1_000;
const patterns = new Map<string, RE2JS>();

function compiledPattern(source: string): RE2JS {
  const known = patterns.get(source);
  if (known !== undefined) return known;
  if (patterns.size >= PATTERNS_MAX) patterns.clear();
  const compiled = RE2JS.compile(source);
  patterns.set(source, compiled);
  return compiled;
}

/** RFC 3986 section 3.3: what a segment may hold stays, all else is escaped. */
export function encodePathSegment(value: string): string {
  return encodeURIComponent(value).replaceAll(/%(3A|40|24|2B|2C|3B|3D|26)/g, (escape) =>
    decodeURIComponent(escape),
  );
}
