import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createScrubber, type Scrubber } from "./scrubber.ts";

const VALUE = 'sk-live/Zq+9"w\\é 0123456789~';
const PLACEHOLDER = "sk-OneCLIFake0123456789";
const scrubber = createScrubber([{ value: Buffer.from(VALUE), placeholder: PLACEHOLDER }]) as Scrubber;
const percentAll = (text: string) => [...Buffer.from(text)].map((byte) => `%${byte.toString(16)}`).join("");
const unicodeAll = (text: string) =>
  Array.from(
    { length: text.length },
    (_, index) => `\\u${text.charCodeAt(index).toString(16).padStart(4, "0")}`,
  ).join("");
const utf8 = (text: string) => Buffer.from(text, "utf8").toString("latin1");

function streamed(bytes: Buffer, sizes: readonly number[], sameLength = false): string {
  const stream = scrubber.stream({ sameLength });
  const out: Buffer[] = [];
  for (let at = 0, index = 0; at < bytes.length; index += 1) {
    const size = sizes[index % sizes.length] as number;
    out.push(stream.push(bytes.subarray(at, at + size)));
    at += size;
  }
  return Buffer.concat([...out, stream.end()]).toString("utf8");
}

describe("a value that an origin writes back", () => {
  test.each([
    ["raw", VALUE],
    ["percent-encoded as JavaScript does", encodeURIComponent(VALUE)],
    ["percent-encoded as forms do", new URLSearchParams({ a: VALUE }).toString().slice(2)],
    ["percent-encoded, every byte", percentAll(VALUE)],
    ["percent-encoded, upper case", percentAll(VALUE).toUpperCase().replaceAll("%", "%")],
    ["percent-encoded twice", encodeURIComponent(encodeURIComponent(VALUE))],
    ["JSON-escaped", JSON.stringify(VALUE).slice(1, -1)],
    ["JSON-escaped, every character", unicodeAll(VALUE)],
    ["JSON in JSON", JSON.stringify(JSON.stringify(VALUE)).slice(3, -3)],
    ["JSON in JSON, every character", unicodeAll(VALUE).replaceAll("\\", "\\\\")],
    ["JSON with escaped slashes", JSON.stringify(VALUE).slice(1, -1).replaceAll("/", "\\/")],
    ["HTML-escaped", VALUE.replaceAll('"', "&quot;")],
    [
      "HTML-escaped by numbers",
      Array.from(VALUE)
        .map((c) => `&#${c.codePointAt(0)};`)
        .join(""),
    ],
    ["hex", Buffer.from(VALUE).toString("hex")],
    ["hex, upper case", Buffer.from(VALUE).toString("hex").toUpperCase()],
  ])("is replaced when it is %s", (_, written) => {
    const text = scrubber.text(utf8(`before ${written} after`));
    expect(text.startsWith("before ")).toBe(true);
    expect(text.endsWith(" after")).toBe(true);
    expect(text).toMatch(/^before (sk-OneCLIFake0123456789|[0-9a-f]+) after$/);
  });

  test.each([0, 1, 2, 3, 4, 5])("is replaced inside base64 behind %i other bytes", (offset) => {
    const encoded = Buffer.from("u".repeat(offset) + VALUE + "tail").toString("base64");
    const decoded = Buffer.from(scrubber.text(encoded), "base64").toString("latin1");
    expect(decoded).not.toContain(VALUE.slice(2, 12));
    expect(decoded.startsWith("u".repeat(Math.max(0, offset - 1)))).toBe(true);
    expect(decoded.endsWith("tail")).toBe(true);
  });

  test("is replaced in base64url and inside Basic credentials", () => {
    const url = Buffer.from(`user:${VALUE}`).toString("base64url");
    expect(scrubber.text(url)).not.toBe(url);
    const basic = `Basic ${Buffer.from(`user:${VALUE}`).toString("base64")}`;
    expect(scrubber.text(basic)).not.toBe(basic);
  });

  test("is replaced each time", () => {
    expect(scrubber.text(utf8(`${VALUE}${VALUE} ${VALUE}`))).toBe(
      `${PLACEHOLDER}${PLACEHOLDER} ${PLACEHOLDER}`,
    );
  });

  test("is left alone when a character is missing", () => {
    const almost = utf8(VALUE.slice(0, -1));
    expect(scrubber.text(almost)).toBe(almost);
  });

  test("never gets through, however each character is written and the stream is cut", () => {
    const spell = (how: number, character: string): string =>
      [character, encodeURIComponent(character), percentAll(character), unicodeAll(character)][how] as string;
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 40, maxLength: 40 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 9 }),
        fc.string({ maxLength: 20 }),
        (ways, sizes, around) => {
          const written = Array.from(VALUE)
            .map((character, index) => spell(ways[index] as number, character))
            .join("");
          const bytes = Buffer.from(`${around}${written}${around}`);
          expect(streamed(bytes, sizes)).toContain(PLACEHOLDER);
        },
      ),
    );
  });
});

test("a stream goes on rightly when another one has made the automaton forget what it knew", () => {
  const value = "A".repeat(20) + "b".repeat(400);
  const long = createScrubber([{ value: Buffer.from(value), placeholder: "fake" }]) as Scrubber;
  const one = long.stream({ sameLength: false });
  const head = one.push(Buffer.from(`x${value.slice(0, 50)}`));
  // Every spelling of every character is a state of its own.
  for (const spell of [percentAll, unicodeAll, (text: string) => Buffer.from(text).toString("hex")]) {
    expect(long.text(spell(value))).not.toBe(spell(value));
  }
  const tail = Buffer.concat([one.push(Buffer.from(`${value.slice(50)}y`)), one.end()]);
  expect(Buffer.concat([head, tail]).toString()).toBe("xfakey");
});

describe("a stream without a value", () => {
  test("passes byte for byte, however it is cut", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 9 }),
        (bytes, sizes) => {
          const buffer = Buffer.from(bytes);
          expect(streamed(buffer, sizes)).toBe(buffer.toString("utf8"));
        },
      ),
    );
  });

  test("is not held back beyond what may be the beginning of the value", () => {
    const stream = scrubber.stream({ sameLength: false });
    expect(stream.push(Buffer.from("data: hello\n\n")).toString()).toBe("data: hello\n\n");
    expect(stream.push(Buffer.from(`data: ${VALUE.slice(0, 5)}`)).toString()).toBe("data: ");
    expect(stream.push(Buffer.from("\n\n")).toString()).toBe(`${VALUE.slice(0, 5)}\n\n`);
  });

  test("holds back a bounded number of bytes when the beginning repeats for ever", () => {
    const repeating = createScrubber([{ value: Buffer.from("aaaaaaaaab"), placeholder: "x" }]) as Scrubber;
    const stream = repeating.stream({ sameLength: false });
    let out = 0;
    for (let round = 0; round < 100; round += 1) out += stream.push(Buffer.alloc(1000, "a")).length;
    expect(100_000 - out).toBeLessThan(100);
  });
});

describe("a replacement of the same length", () => {
  test("keeps the number of bytes", () => {
    fc.assert(
      fc.property(fc.constantFrom(VALUE, encodeURIComponent(VALUE), percentAll(VALUE)), (written) => {
        const bytes = Buffer.from(`a ${written} b`);
        const out = streamed(bytes, [3], true);
        expect(Buffer.byteLength(out)).toBe(bytes.length);
        expect(out).toContain("OneCLIFake");
      }),
    );
  });
});

test("a value under 8 bytes is not searched for", () => {
  expect(createScrubber([{ value: Buffer.from("1234567"), placeholder: "x" }])).toBeNull();
});
