// The path canonicaliser (RFC 3986 section 6.2.2): what it returns is both what is decided on and what is sent.
import { limits } from "../limits.ts";
import { decodeUnreserved, hasDotSegment, isWellFormed, resolveDotSegments } from "./escapes.ts";
import { readingsOf } from "./readings.ts";
import type { Target } from "./contract.ts";

/** Controls, space, `#`, DEL and everything beyond ASCII: no client may send them raw (RFC 9112 section 3.2). */
const FORBIDDEN = /[^\x21\x22\x24-\x7E]/;
/** Anything that could make an origin read another path than the one written. */
const AMBIGUOUS = /[%;\\]|\/(?:\/|\.{1,2}(?:\/|$))/;

/** `raw` is path and query of a request target in origin form; null = refuse it. */
export function parseTarget(raw: string): Target | null {
  if (!raw.startsWith("/") || raw.length > limits.requestTargetBytesMax || FORBIDDEN.test(raw)) return null;
  const mark = raw.indexOf("?");
  const path = mark === -1 ? raw : raw.slice(0, mark);
  const query = mark === -1 ? "" : raw.slice(mark);
  if (path.length > limits.pathBytesMax) return null;
  if (!AMBIGUOUS.test(path)) return { path, query, readings: [path] };
  return parseAmbiguous(path, query);
}

function parseAmbiguous(written: string, query: string): Target | null {
  if (!isWellFormed(written)) return null;
  const unresolved = decodeUnreserved(written);
  if (!hasDotSegment(unresolved)) return withReadings(unresolved, query, null);
  const path = resolveDotSegments(unresolved);
  return path === null ? null : withReadings(path, query, unresolved);
}

function withReadings(path: string, query: string, unresolved: string | null): Target | null {
  const readings = readingsOf(path, unresolved);
  return readings === null ? null : { path, query, readings };
}
