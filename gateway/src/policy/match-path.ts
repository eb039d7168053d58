// Path patterns: `*`, `/v1/*` (also /v1), `/x*` (prefix), `*` before the end (within one segment), else exact.
// A request is compared under every reading of its path, with every reading of the pattern.
import { readingsOf } from "../target/readings.ts";
import { parseTarget } from "../target/path.ts";
import { type PathMatcher, segmentMatcher } from "./match-segments.ts";

export interface PathPattern {
  /** canonical text; `*` for every path */
  readonly text: string;
  /** the pattern as written, then its other readings */
  readonly matchers: readonly PathMatcher[];
  /** of every matcher, the segments before its first `*`: where an index files it */
  readonly literalPrefixes: readonly (readonly string[])[];
}

export type PathPatternCheck =
  | { readonly ok: true; readonly pattern: string }
  | { readonly ok: false; readonly message: string };

const EVERY_PATH: PathPattern = { text: "*", matchers: [() => true], literalPrefixes: [[]] };

/** null = not a pattern */
export function compilePath(text: string | null): PathPattern | null {
  if (text === null || text === "*" || text === "/*") return EVERY_PATH;
  const readings = patternReadings(text);
  if (readings === null) return null;
  const [written = text] = readings;
  if (written === "/*") return EVERY_PATH;
  return {
    text: written,
    matchers: readings.map(compileReading),
    literalPrefixes: readings.map(literalPrefix),
  };
}

/** For blocks and limits, which must not be dodged: one reading is enough, and a trailing slash makes no difference. */
export function matchesSome(pattern: PathPattern, readings: readonly string[]): boolean {
  return readings.some((reading) => {
    const toggled = reading.endsWith("/") ? reading.slice(0, -1) : `${reading}/`;
    return pattern.matchers.some((matches) => matches(reading) || matches(toggled));
  });
}

/** For what gives: the path as written matches the pattern as written, and no reading of it leads anywhere else. */
export function matchesEvery(pattern: PathPattern, readings: readonly string[]): boolean {
  const [asWritten] = pattern.matchers;
  if (!(asWritten?.(readings[0] ?? "") ?? false)) return false;
  return (
    readings.length === 1 || readings.every((reading) => pattern.matchers.some((matches) => matches(reading)))
  );
}

/** Says what to write instead when a pattern can't be accepted. */
export function validatePathPattern(text: string): PathPatternCheck {
  if (text === "*") return { ok: true, pattern: text };
  if (!text.startsWith("/"))
    return { ok: false, message: `must be * or start with /; write /${text.replace(/^\*?\/?/, "")}` };
  if (/[?#]/.test(text))
    return { ok: false, message: "must not contain ? or #: only the path is compared, never the query" };
  if (/[^\x21-\x7E]/.test(text)) return { ok: false, message: percentEncoded(text) };
  const pattern = compilePath(text);
  if (pattern !== null) return { ok: true, pattern: pattern.text };
  if (/\*[^/]*\*/.test(text))
    return { ok: false, message: "may contain one * in each segment; write e.g. /v1/*/items" };
  return {
    ok: false,
    message: "must not contain invalid or control escapes, an escaped *, or .. above the root",
  };
}

/** The literal characters before the first `*`; more of them is more specific. */
export function literalLength(text: string): number {
  const star = text.indexOf("*");
  return star === -1 ? text.length : star;
}

function patternReadings(text: string): readonly string[] | null {
  const target = parseTarget(text);
  if (target === null || target.query !== "") return null;
  const readings = target.readings.length === 1 ? target.readings : readingsOf(target.path, null);
  // an escaped `*` is a literal that another reading would turn into a wildcard
  if (readings === null || /%(?:25)*2A/i.test(target.path)) return null;
  return readings.some((reading) => /\*[^/]*\*/.test(reading)) ? null : readings;
}

function compileReading(text: string): PathMatcher {
  const star = text.indexOf("*");
  if (star === -1) return (path) => path === text;
  if (star !== text.length - 1) return segmentMatcher(text);
  const prefix = text.slice(0, -1);
  if (!prefix.endsWith("/")) return (path) => path.startsWith(prefix);
  const directory = prefix.slice(0, -1);
  return (path) => path.startsWith(prefix) || path === directory;
}

function literalPrefix(text: string): readonly string[] {
  const star = text.indexOf("*");
  const literal = star === -1 ? text.replace(/\/$/, "") : text.slice(0, text.lastIndexOf("/", star));
  return literal.split("/").slice(1);
}

function percentEncoded(text: string): string {
  const encoded = text.isWellFormed() ? `: ${encodeURI(text).replaceAll("%25", "%")}` : "";
  return `must be written percent-encoded${encoded}`;
}
