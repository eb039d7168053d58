// Every way an origin could read a path. Servers decode reserved escapes (some twice), merge slashes, drop `;params`
// and take `\` for `/`, in any combination; a rule must hold whichever of them answers.
import { limits } from "../limits.ts";
import { decodeAscii, isWellFormedReading, resolveDotSegments, upperCaseEscapes } from "./escapes.ts";

/** null = no such reading may exist: refuse the path */
type Reading = (path: string) => string | null;

const collapseSlashes: Reading = (path) => path.replace(/\/{2,}/g, "/");
const stripParameters: Reading = (path) => path.replace(/;[^/]*/g, "");
const backslashAsSlash: Reading = (path) => path.replaceAll("\\", "/");
/** An escaped `?` or `#` that was decoded may end the path for whoever parses it again. */
const cutAtQuery: Reading = (path) => path.replace(/[?#].*$/s, "");

const decode: Reading = (path) => {
  if (!path.includes("%")) return path;
  const decoded = upperCaseEscapes(decodeAscii(path));
  return isWellFormedReading(decoded) ? decoded : null;
};

const TRANSFORMATIONS = [
  decode,
  resolveDotSegments,
  collapseSlashes,
  stripParameters,
  backslashAsSlash,
  cutAtQuery,
];

/**
 * The canonical path (escapes in upper case) first. `unresolved` is the path before its dot segments were resolved:
 * what is sent is resolved, but a path that mixes both kinds of trick is decided on in either order.
 * null = more readings than the limits, or one that climbs above the root or holds a control.
 */
export function readingsOf(path: string, unresolved: string | null): readonly string[] | null {
  const first = upperCaseEscapes(path);
  if (unresolved === null) return closure([first]);
  const before = closure([upperCaseEscapes(unresolved)]);
  if (before === null) return null;
  const resolved = new Set([first]);
  for (const reading of before) {
    const path = resolveDotSegments(reading);
    if (path === null) return null;
    resolved.add(path);
  }
  return closure([...resolved]);
}

/** Applies every transformation to every reading until nothing new appears. */
function closure(seeds: readonly string[]): readonly string[] | null {
  const readings = [...seeds];
  let bytes = seeds.reduce((sum, seed) => sum + seed.length, 0);
  for (let at = 0; at < readings.length; at += 1) {
    for (const transform of TRANSFORMATIONS) {
      const reading = transform(readings[at] ?? "");
      if (reading === null) return null;
      if (readings.includes(reading)) continue;
      readings.push(reading);
      bytes += reading.length;
      if (readings.length > limits.pathReadingsMax || bytes > limits.pathReadingBytesMax) return null;
    }
  }
  return readings;
}
