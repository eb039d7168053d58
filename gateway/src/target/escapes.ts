// Percent-encoding and dot segments of paths (RFC 3986 sections 2.1, 2.3, 5.2.4).

const UNRESERVED = /%(?:2[DE]|3\d|[46][1-9A-F]|[57][0-9A]|5F|7E)/gi;
const ASCII = /%[2-7][\dA-F]/gi;
const ESCAPED_CONTROL = /%(?:[01][\dA-F]|7F)/i;
const BEYOND_ASCII = /(?:%[89A-F][\dA-F])+/gi;
const ESCAPE = /%[\dA-F]{2}/gi;
const DOT_SEGMENT = /\/\.{1,2}(?:\/|$)/;

/** Every `%` starts an escape, no escape is a control, and the bytes beyond ASCII are UTF-8 (RFC 3629 section 3). */
export function isWellFormed(path: string): boolean {
  return !ESCAPED_CONTROL.test(path) && isDecodable(path);
}

/** As `isWellFormed`, but a `%` may stand for itself: what is left after an escaped `%` was decoded. */
export function isWellFormedReading(path: string): boolean {
  return !ESCAPED_CONTROL.test(path) && (path.match(BEYOND_ASCII) ?? []).every(isDecodable);
}

/** Escapes that no client needs to write; decoding them changes nothing for any origin (RFC 3986 section 6.2.2.2). */
export function decodeUnreserved(path: string): string {
  return path.replace(UNRESERVED, character);
}

export function decodeAscii(path: string): string {
  return path.replace(ASCII, character);
}

export function upperCaseEscapes(path: string): string {
  return path.replace(ESCAPE, (escape) => escape.toUpperCase());
}

export function hasDotSegment(path: string): boolean {
  return DOT_SEGMENT.test(path);
}

/** null = it climbs above the root. */
export function resolveDotSegments(path: string): string | null {
  if (!hasDotSegment(path)) return path;
  const segments = path.slice(1).split("/");
  const resolved: string[] = [];
  for (const segment of segments) {
    if (segment === ".." && resolved.pop() === undefined) return null;
    if (segment !== "." && segment !== "..") resolved.push(segment);
  }
  const last = segments.at(-1);
  if (last === "." || last === "..") resolved.push("");
  return `/${resolved.join("/")}`;
}

function character(escape: string): string {
  return String.fromCharCode(Number.parseInt(escape.slice(1), 16));
}

/** ECMA-262 decodeURIComponent refuses malformed escapes, overlong forms and surrogates. */
function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
