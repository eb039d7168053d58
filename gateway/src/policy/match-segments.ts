// Path patterns with a `*` before their end: one pass over the path, no backtracking.

export type PathMatcher = (path: string) => boolean;

interface Segment {
  readonly before: string;
  /** null = no `*` in this segment: it must be exactly `before` */
  readonly after: string | null;
}

// A `*` stands for one segment or part of one; at the very end for everything left, which must not be empty.
export function segmentMatcher(pattern: string): PathMatcher {
  const isOpen = pattern.endsWith("*");
  const texts = pattern.slice(1).split("/");
  const rest = isOpen ? (texts.pop() ?? "").slice(0, -1) : null;
  const segments = texts.map(segment);
  return (path) => {
    const end = skip(path, segments);
    if (end === -1) return false;
    if (rest === null) return end === path.length + 1;
    return path.length > end && path.startsWith(rest, end);
  };
}

function segment(text: string): Segment {
  const star = text.indexOf("*");
  return star === -1
    ? { before: text, after: null }
    : { before: text.slice(0, star), after: text.slice(star + 1) };
}

/** Where the segment after the matched ones starts (one past the end when there is none); -1 = they don't match. */
function skip(path: string, segments: readonly Segment[]): number {
  let start = 1;
  for (const segment of segments) {
    if (start > path.length) return -1;
    const slash = path.indexOf("/", start);
    const end = slash === -1 ? path.length : slash;
    if (!matchesSegment(segment, path, { start, end })) return -1;
    start = end + 1;
  }
  return start;
}

function matchesSegment(
  { before, after }: Segment,
  path: string,
  { start, end }: { start: number; end: number },
): boolean {
  const length = end - start;
  if (!path.startsWith(before, start)) return false;
  if (after === null) return length === before.length;
  return length >= before.length + after.length && path.startsWith(after, end - after.length);
}
