// Placeholder mapping: the agent's own fake key is exchanged for the real value, on declared surfaces, at most once.
import type { Outgoing } from "./contract.ts";
import { encodePathSegment } from "./place.ts";

export type Surface = "header" | "query" | "path" | "body" | "websocket";

export interface Swap {
  readonly fake: string;
  readonly real: () => string;
}

const BASIC = /^basic /i;

/** How often the fake key stood on the surface; where it was more than once nothing is exchanged. */
export function swapOn(surface: Surface, outgoing: Outgoing, swap: Swap): number {
  switch (surface) {
    case "header":
      return swapInFields(outgoing, swap);
    case "query":
      return swapEscaped(outgoing.query, swap, encodeURIComponent, (text) => (outgoing.query = text));
    case "path":
      return swapEscaped(outgoing.path, swap, encodePathSegment, (text) => (outgoing.path = text));
    case "body":
      return swapInBody(outgoing, swap);
    default:
      // Messages come after the handshake: see textRewriter.
      return 0;
  }
}

function swapInFields(outgoing: Outgoing, swap: Swap): number {
  let found = 0;
  const { fields } = outgoing;
  for (let i = 1; i < fields.length; i += 2) {
    const value = fields[i] as string;
    const write = (text: string) => (fields[i] = text);
    found += BASIC.test(value)
      ? swapInBasic(value, swap, write)
      : swapInText(value, swap, (real) => real, write);
  }
  return found;
}

function swapInBasic(value: string, swap: Swap, write: (text: string) => void): number {
  const decoded = Buffer.from(value.slice("basic ".length).trim(), "base64").toString("latin1");
  return swapInText(decoded, swap, bytesOf, (text) =>
    write(`Basic ${Buffer.from(text, "latin1").toString("base64")}`),
  );
}

type Encode = (real: string) => string;
type Write = (text: string) => void;

function swapInText(text: string, swap: Swap, encode: Encode, write: Write): number {
  const first = text.indexOf(swap.fake);
  if (first === -1) return 0;
  if (text.includes(swap.fake, first + 1)) return 2;
  write(text.slice(0, first) + encode(swap.real()) + text.slice(first + swap.fake.length));
  return 1;
}

/** Where clients may percent-encode: a fake key like Telegram's has a colon, which some do and some don't. */
function swapEscaped(text: string, swap: Swap, encode: Encode, write: Write): number {
  const escaped = encodeURIComponent(swap.fake);
  if (escaped === swap.fake) return swapInText(text, swap, encode, write);
  const lower = escaped.replaceAll(/%../g, (escape) => escape.toLowerCase());
  return swapInText(text.replaceAll(escaped, swap.fake).replaceAll(lower, swap.fake), swap, encode, write);
}

/** Byte for byte what was sent, but for the fake key: the body is read as Latin-1, in which every byte is a character. */
function swapInBody(outgoing: Outgoing, swap: Swap): number {
  if (outgoing.body === null) return 0;
  const text = outgoing.body.toString("latin1");
  const write = (swapped: string) => (outgoing.body = Buffer.from(swapped, "latin1"));
  const kind = bodyKind(outgoing);
  if (kind === "json")
    return swapInText(text, swap, (real) => bytesOf(JSON.stringify(real).slice(1, -1)), write);
  return kind === "form" ? swapEscaped(text, swap, encodeURIComponent, write) : 0;
}

/** JSON and forms only: elsewhere nobody knows how a value must be written. */
function bodyKind(outgoing: Outgoing): "json" | "form" | null {
  if (valueOf(outgoing, "content-encoding") !== undefined) return null;
  const type = valueOf(outgoing, "content-type")?.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  if (type === "application/json" || type.endsWith("+json")) return "json";
  return type === "application/x-www-form-urlencoded" ? "form" : null;
}

/** The UTF-8 of a text, a character a byte. */
function bytesOf(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

function valueOf(outgoing: Outgoing, name: string): string | undefined {
  const { fields } = outgoing;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    if ((fields[i] as string).toLowerCase() === name) return fields[i + 1];
  }
  return undefined;
}
