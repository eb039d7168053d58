import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseTarget } from "../target/path.ts";
import { compilePath, literalLength, matchesEvery, matchesSome, validatePathPattern } from "./match-path.ts";

function match(pattern: string | null, path: string): { some: boolean; every: boolean } {
  const compiled = compilePath(pattern);
  const target = parseTarget(path);
  if (compiled === null || target === null) throw new Error(`${pattern} or ${path} can't be read`);
  return { some: matchesSome(compiled, target.readings), every: matchesEvery(compiled, target.readings) };
}

describe("a path pattern matches", () => {
  test.each([
    ["every path when absent", null, "/x", true],
    ["every path as *", "*", "/", true],
    ["every path as /*", "/*", "/x/y", true],
    ["exactly", "/v1/items", "/v1/items", true],
    ["not what follows", "/v1/items", "/v1/items/1", false],
    ["not another case", "/v1/items", "/v1/Items", false],
    ["the directory of /*", "/v1/*", "/v1", true],
    ["below it", "/v1/*", "/v1/a/b", true],
    ["not what only starts alike", "/v1/*", "/v10", false],
    ["a prefix", "/x*", "/xyz/a", true],
    ["the prefix itself", "/x*", "/x", true],
    ["not another prefix", "/x*", "/y", false],
    ["one segment in the middle", "/r/*/x", "/r/a/x", true],
    ["not two", "/r/*/x", "/r/a/b/x", false],
    ["not fewer", "/r/*/x", "/r/x", false],
    ["not more at the end", "/r/*/x", "/r/a/x/y", false],
    ["one or more segments at the end after one in the middle", "/r/*/x/*", "/r/a/x/y/z", true],
    ["but not none", "/r/*/x/*", "/r/a/x", false],
    ["nor an empty one", "/r/*/x/*", "/r/a/x/", false],
    ["two wildcards in a row", "/r/*/*", "/r/a/b/c", true],
    ["not one segment then", "/r/*/*", "/r/a", false],
    ["a prefix at the end after one in the middle", "/r/*/x*", "/r/a/xy/z", true],
    ["not another one", "/r/*/x*", "/r/a/y", false],
    ["a part of a segment", "/models/*:generate", "/models/a-1:generate", true],
    ["not across segments", "/models/*:generate", "/models/a/b:generate", false],
    ["not when its parts overlap", "/aba*aba/x", "/aba/x", false],
    ["an escape in the pattern that needs none", "/%61%2e", "/a.", true],
    ["an escape in either hex case", "/a%2fb", "/a%2Fb", true],
  ])("%s: %s against %s is %s", (_, pattern, path, expected) => {
    expect(match(pattern, path).every).toBe(expected);
    expect(match(pattern, path).some).toBe(expected);
  });

  test.each([
    ["some readings, not every", "/a/*", "/a%2Fb", { some: true, every: false }],
    ["every reading", "/v1/*", "/v1/a%2Fb", { some: true, every: true }],
    ["every reading, with readings of its own", "/p/a%2Fb", "/p/a%2Fb", { some: true, every: true }],
    [
      "what it could be read as, only to hold, never to give",
      "/p/a%2Fb",
      "/p/a/b",
      { some: true, every: false },
    ],
    ["with another trailing slash, only to hold", "/v1", "/v1/", { some: true, every: false }],
    ["without its trailing slash, only to hold", "/v1/", "/v1", { some: true, every: false }],
  ])("%s: %s against %s", (_, pattern, path, expected) => {
    expect(match(pattern, path)).toEqual(expected);
  });

  test("many wildcards against a long path without trying their combinations", () => {
    const pattern = `/${"*/".repeat(400)}x`;
    const path = `/${"a/".repeat(8000)}`;
    expect(Array.from({ length: 1000 }, () => match(pattern, path).every)).not.toContain(true);
  });
});

describe("a path pattern for the API", () => {
  test.each([
    ["*", "*"],
    ["/", "/"],
    ["/v1/*", "/v1/*"],
    ["/a/./b/../c", "/a/c"],
    ["/%61", "/a"],
    ["/a%2fb", "/a%2Fb"],
    ["/models/*:generate", "/models/*:generate"],
  ])("%s is kept as %s", (text, pattern) => {
    expect(validatePathPattern(text)).toEqual({ ok: true, pattern });
  });

  test.each([
    ["no leading slash", "v1/*", "write /v1/*"],
    ["* before the slash", "*/v1", "write /v1"],
    ["a query", "/v1?x=1", "the query"],
    ["a fragment", "/v1#x", "must not contain"],
    ["a space", "/a b", "/a%20b"],
    ["raw non-ASCII", "/café/*", "/caf%C3%A9/*"],
    ["two * in a segment", "/a*b*/c", "one * in each segment"],
    ["**", "/**", "one * in each segment"],
    ["an escaped *", "/a%2Ab", "an escaped *"],
    ["an escaped * that needs decoding twice", "/a%252ab", "an escaped *"],
    ["an escape that is none", "/a%zz", "invalid"],
    ["NUL", "/a%00", "control"],
    ["climbing above the root", "/../a", "above the root"],
    ["nothing", "", "must be * or start with /"],
  ])("%s is refused and the message helps", (_, text, hint) => {
    expect(validatePathPattern(text)).toMatchObject({ ok: false, message: expect.stringContaining(hint) });
  });

  test("any text is refused, or is kept in a form that is kept as it is", () => {
    const texts = fc.oneof(
      fc.string(),
      fc
        .string({ unit: fc.constantFrom("/", "*", "a", "%2F", "%2A", ".", ";", "\\", "%25") })
        .map((text) => `/${text}`),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const check = validatePathPattern(text);
        if (check.ok) expect(validatePathPattern(check.pattern)).toEqual(check);
      }),
      { numRuns: 2000, examples: [["/./*"]] },
    );
  });

  test("the literal length is what stands before the first *", () => {
    expect(["*", "/v1/*", "/v1/*/x", "/v1"].map(literalLength)).toEqual([0, 4, 4, 3]);
  });
});
