// Every way in which an origin may write a value back: raw, percent-encoded, JSON- or HTML-escaped (each character
// by itself, so mixtures count too), base64 in its three alignments, hex. A variant is a row of symbols, a symbol a
// choice of spellings, a spelling a row of byte sets.

/** The bytes that may stand at one place, e.g. both cases of a hex digit. */
export type ByteSet = readonly number[];
export type Spelling = readonly ByteSet[];
export type Symbol = readonly Spelling[];

export type Encoding = "text" | "base64" | "hex";

export interface Variant {
  readonly encoding: Encoding;
  /** number of symbols */
  readonly length: number;
  /** Made when asked for: written out, all spellings of a long value would take megabytes. */
  symbol(index: number): Symbol;
}

/** Shorter values stand in too many places by chance; they are not searched for. */
export const SEARCHED_VALUE_BYTES_MIN = 8;

export function variantsOf(value: Buffer): Variant[] {
  const characters = Array.from(value.toString("utf8"));
  return [
    variant("text", characters, textSymbol),
    ...[0, 1, 2].map((alignment) => variant("base64", base64Core(value, alignment), base64Symbol)),
    variant("hex", value, (byte) => [hexDigits(byte)]),
  ];
}

function variant<Item>(
  encoding: Encoding,
  items: ArrayLike<Item>,
  symbolOf: (item: Item) => Symbol,
): Variant {
  // Few characters are distinct: kept by character, the symbols of a long value weigh as little as those of a short one.
  const known = new Map<Item, Symbol>();
  const symbol = (index: number): Symbol => {
    const item = items[index] as Item;
    const found = known.get(item) ?? symbolOf(item);
    known.set(item, found);
    return found;
  };
  return { encoding, length: items.length, symbol };
}

/** RFC 3986 section 2.1 (also twice), RFC 8259 section 7 (also inside another string), HTML character references. */
function textSymbol(character: string): Symbol {
  const bytes = Buffer.from(character, "utf8");
  const spellings: Spelling[] = [
    exact(bytes),
    [...bytes].flatMap((byte) => [...text("%"), ...hexDigits(byte)]),
    [...bytes].flatMap((byte) => [...text("%25"), ...hexDigits(byte)]),
    utf16Escapes(character, "\\"),
    utf16Escapes(character, "\\\\"),
    ...htmlReferences(character),
  ];
  const short = JSON_SHORT_ESCAPES[character];
  if (short !== undefined) spellings.push(text(`\\${short}`), text(`\\\\${short}`), text(`\\\\\\${short}`));
  if (character === " ") spellings.push(text("+"));
  return spellings;
}

const JSON_SHORT_ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  "\b": "b",
  "\f": "f",
  "\n": "n",
  "\r": "r",
  "\t": "t",
};

function utf16Escapes(character: string, backslash: string): Spelling {
  const units = Array.from({ length: character.length }, (_, index) => character.charCodeAt(index));
  return units.flatMap((unit) => [
    ...text(`${backslash}u`),
    ...hexDigits(unit >> 8),
    ...hexDigits(unit & 0xff),
  ]);
}

const HTML_NAMES: Readonly<Record<string, string>> = {
  "&": "amp",
  "<": "lt",
  ">": "gt",
  '"': "quot",
  "'": "apos",
};

function htmlReferences(character: string): Spelling[] {
  const code = character.codePointAt(0) ?? 0;
  const name = HTML_NAMES[character];
  const hex = code.toString(16);
  const references = [text(`&#${code};`), [...text("&#"), both("x"), ...Array.from(hex, both), ...text(";")]];
  return name === undefined ? references : [...references, text(`&${name};`)];
}

/**
 * The characters of base64 that the value alone decides; at its edges a character mixes in bits of the neighbours.
 * RFC 4648 sections 4 and 5: both alphabets.
 */
function base64Core(value: Buffer, alignment: number): string {
  const encoded = Buffer.concat([Buffer.alloc(alignment), value]).toString("base64");
  const first = Math.ceil((alignment * 8) / 6);
  const end = Math.floor(((alignment + value.length) * 8) / 6);
  return encoded.slice(first, end);
}

function base64Symbol(character: string): Symbol {
  if (character === "+") return [text("+"), text("-"), escaped("2B"), text("\\u002b"), text("\\u002B")];
  if (character === "/") return [text("/"), text("_"), escaped("2F"), text("\\/"), text("\\\\/")];
  return [text(character)];
}

function escaped(hex: string): Spelling {
  return [...text("%"), ...Array.from(hex, both)];
}

function hexDigits(byte: number): Spelling {
  return Array.from(byte.toString(16).padStart(2, "0"), both);
}

function both(character: string): ByteSet {
  const lower = character.toLowerCase().charCodeAt(0);
  const upper = character.toUpperCase().charCodeAt(0);
  return lower === upper ? [lower] : [lower, upper];
}

function text(characters: string): Spelling {
  return exact(Buffer.from(characters, "latin1"));
}

function exact(bytes: Buffer): Spelling {
  return [...bytes].map((byte) => [byte]);
}
