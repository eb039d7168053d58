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
      return swapInText(outgoing.query, swap, encodeURIComponent, (text) => (outgoing.query = text));
    case "path":
      return swapInText(outgoing.path, swap, encodePathSegment, (text) => (outgoing.path = text));
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
  const decoded = Buffer.from(value.slice("basic ".length).trim(), "base64").toString("utf8");
  return swapInText(
    decoded,
    swap,
    (real) => real,
    (text) => write(`Basic ${Buffer.from(text).toString("base64")}`),
  );
}

function swapInText(
  text: string,
  swap: Swap,
  encode: (real: string) => string,
  write: (text: string) => void,
): number {
  const first = text.indexOf(swap.fake);
  if (first === -1) return 0;
  if (text.includes(swap.fake, first + 1)) return 2;
  write(text.slice(0, first) + encode(swap.real()) + text.slice(first + swap.fake.length));
  return 1;
}

function swapInBody(outgoing: Outgoing, swap: Swap): number {
  if (outgoing.body === null) return 0;
  const encode = bodyEncoding(outgoing);
  if (encode === null) return 0;
  return swapInText(outgoing.body.toString("utf8"), swap, encode, (text) => {
    outgoing.body = Buffer.from(text, "utf8");
  });
}

/** JSON and forms only: elsewhere nobody knows how a value must be written. */
function bodyEncoding(outgoing: Outgoing): ((real: string) => string) | null {
  const type = valueOf(outgoing, "content-type")?.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  if (valueOf(outgoing, "content-encoding") !== undefined) return null;
  if (type === "application/json" || type.endsWith("+json"))
    return (real) => JSON.stringify(real).slice(1, -1);
  return type === "application/x-www-form-urlencoded" ? encodeURIComponent : null;
}

function valueOf(outgoing: Outgoing, name: string): string | undefined {
  const { fields } = outgoing;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    if ((fields[i] as string).toLowerCase() === name) return fields[i + 1];
  }
  return undefined;
}
