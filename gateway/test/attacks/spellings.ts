// Every spelling of a value by which whoever reads an answer, a log or a file would have it back.

export type Spell = (value: string) => string;

const bytesOf = (value: string) => Buffer.from(value, "utf8");
const perByte = (value: string, write: (hex: string) => string) =>
  [...bytesOf(value)].map((byte) => write(byte.toString(16).padStart(2, "0"))).join("");
const perCharacter = (value: string, write: (code: number) => string) =>
  Array.from(value, (character) => write(character.codePointAt(0) ?? 0)).join("");
const unicodeEscape = (code: number) => `\\u${code.toString(16).padStart(4, "0")}`;

export const spellings: Readonly<Record<string, Spell>> = {
  raw: (value) => value,
  "percent-encoded": encodeURIComponent,
  "percent-encoded in lower case": (value) =>
    encodeURIComponent(value).replaceAll(/%../g, (escape) => escape.toLowerCase()),
  "percent-encoded, every byte": (value) => perByte(value, (hex) => `%${hex.toUpperCase()}`),
  "percent-encoded twice": (value) => encodeURIComponent(encodeURIComponent(value)),
  "as a JSON string": (value) => JSON.stringify(value),
  "as a JSON string with escaped slashes": (value) => JSON.stringify(value).replaceAll("/", "\\/"),
  "JSON-escaped, every character": (value) => perCharacter(value, unicodeEscape),
  "JSON-escaped, every character, upper case": (value) =>
    perCharacter(value, (code) => unicodeEscape(code).replaceAll(/[a-f]/g, (digit) => digit.toUpperCase())),
  "JSON-escaped, every other character": (value) =>
    Array.from(value, (character, at) =>
      at % 2 === 0 ? unicodeEscape(character.charCodeAt(0)) : character,
    ).join(""),
  "JSON in JSON": (value) => JSON.stringify(JSON.stringify({ value })),
  "as HTML references": (value) => perCharacter(value, (code) => `&#${code};`),
  "as HTML references in hex": (value) => perCharacter(value, (code) => `&#x${code.toString(16)};`),
  "hex in lower case": (value) => bytesOf(value).toString("hex"),
  "hex in upper case": (value) => bytesOf(value).toString("hex").toUpperCase(),
  base64: (value) => bytesOf(value).toString("base64"),
  "base64, behind one byte": (value) => bytesOf(`a${value}`).toString("base64"),
  "base64, behind two bytes": (value) => bytesOf(`ab${value}`).toString("base64"),
  "base64, amid others": (value) => bytesOf(`user:${value}:end`).toString("base64"),
  base64url: (value) => bytesOf(value).toString("base64url"),
  "base64url, behind one byte": (value) => bytesOf(`a${value}`).toString("base64url"),
  "in a Basic field": (value) => `Basic ${bytesOf(`x:${value}`).toString("base64")}`,
};

/** The spelling in which the value can be read off the text, null when there is none. */
export function spellingIn(text: string, value: string): string | null {
  for (const [name, spell] of Object.entries(spellings))
    if (text.includes(coreOf(name, spell(value)))) return name;
  return null;
}

/** Base64 mixes its neighbours into its edges: what the value alone decides is in the middle. */
function coreOf(name: string, written: string): string {
  if (!name.startsWith("base64")) return written;
  return written.replace(/=+$/, "").slice(4, -4);
}
