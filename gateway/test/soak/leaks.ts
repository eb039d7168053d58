// Looks for known values in everything that was left behind, as they are and in the encodings that programs use.
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

export interface Known {
  readonly name: string;
  readonly value: string;
}

/** The text itself, hex, and base64 at each of its three alignments without the characters that neighbours change. */
export function formsOf(value: string): readonly Buffer[] {
  const bytes = Buffer.from(value);
  const base64 = [0, 1, 2].map((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString("base64");
    return text.slice(shift === 0 ? 0 : 4, -4);
  });
  const hex = bytes.toString("hex");
  return [value, hex, hex.toUpperCase(), encodeURIComponent(value), ...base64].map((form) =>
    Buffer.from(form),
  );
}

/** `name in place` for each value that was found. */
export function leaksIn(
  places: Iterable<readonly [place: string, content: Buffer]>,
  known: readonly Known[],
): string[] {
  const forms = known.map(({ name, value }) => ({ name, forms: formsOf(value) }));
  const found: string[] = [];
  for (const [place, content] of places) {
    for (const { name, forms: all } of forms)
      if (all.some((form) => content.includes(form))) found.push(`${name} in ${place}`);
  }
  return found;
}

/** Every file below a directory. */
export function* filesIn(directory: string): Generator<readonly [place: string, content: Buffer]> {
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    yield [path.relative(directory, file), readFileSync(file)];
  }
}
