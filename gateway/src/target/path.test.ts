import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { limits } from "../limits.ts";
import { parseTarget } from "./path.ts";

const readings = (raw: string) => parseTarget(raw)?.readings;

describe("a path with one reading", () => {
  test.each([
    ["/", "/"],
    ["/v1/messages", "/v1/messages"],
    ["/v1/messages/", "/v1/messages/"],
    ["/.well-known/openid-configuration", "/.well-known/openid-configuration"],
    ["/a...b/...", "/a...b/..."],
    ["/v1beta/models/gemini:generateContent", "/v1beta/models/gemini:generateContent"],
    ["/@scope/pkg", "/@scope/pkg"],
    ["/!$&'()*+,=~", "/!$&'()*+,=~"],
    ['/{id}|"<x>^`[1]', '/{id}|"<x>^`[1]'],
    ["/%61dmin", "/admin"],
    ["/%7euser/%2D%5f", "/~user/-_"],
    ["/a/./b", "/a/b"],
    ["/a/x/../b", "/a/b"],
    ["/a/%2e%2E/b", "/b"],
    ["/a/.%2e/b", "/b"],
    ["/a/b/..", "/a/"],
    ["/a/b/.", "/a/b/"],
    ["/a/..", "/"],
  ])("%s is %s", (raw, path) => {
    expect(parseTarget(raw)).toEqual({ path, query: "", readings: [path] });
  });
});

describe("a path that origins read differently goes out as written and is decided on as", () => {
  test.each([
    ["/projects/group%2fproject", ["/projects/group%2Fproject", "/projects/group/project"]],
    ["/@scope%2Fpkg", ["/@scope%2Fpkg", "/@scope/pkg"]],
    ["/a//b", ["/a//b", "/a/b"]],
    ["/a;x=1/b;y", ["/a;x=1/b;y", "/a/b"]],
    ["/a\\b", ["/a\\b", "/a/b"]],
    ["/a%5cb", ["/a%5Cb", "/a\\b", "/a/b"]],
    ["/%2561dmin", ["/%2561dmin", "/%61dmin", "/admin"]],
    ["/a%2F..%2Fb", ["/a%2F..%2Fb", "/a/../b", "/b"]],
    ["/a/..;x/b", ["/a/..;x/b", "/a/../b", "/b"]],
    ["/a%3fb", ["/a%3Fb", "/a?b", "/a"]],
    ["/caf%c3%a9", ["/caf%C3%A9"]],
    ["/100%25", ["/100%25", "/100%"]],
  ])("%s", (raw, expected) => {
    expect(parseTarget(raw)?.path).toBe(raw);
    expect(readings(raw)).toEqual(expected);
  });

  test("every order, when dot segments are mixed with other tricks", () => {
    expect(parseTarget("/x//../admin")?.path).toBe("/x/admin");
    expect(readings("/x//../admin")).toContain("/admin");
    expect(readings("/a%2Fb/../admin")).toEqual(expect.arrayContaining(["/admin", "/a/admin"]));
  });
});

describe("a path that is refused", () => {
  test.each([
    ["nothing", ""],
    ["no leading slash", "v1/messages"],
    ["the asterisk form", "*"],
    ["an absolute form", "https://example.com/"],
    ["climbing above the root", "/.."],
    ["climbing with an escape", "/%2e%2e/etc"],
    ["climbing in the middle", "/a/../../b"],
    ["climbing behind an escaped slash", "/..%2fetc"],
    ["climbing after decoding twice", "/%252e%252e%252fetc"],
    ["climbing behind a backslash", "/..\\etc"],
    ["climbing behind a parameter", "/..;/admin"],
    ["a raw NUL", "/a\0b"],
    ["%00", "/a%00b"],
    ["%00 encoded twice", "/a%2500b"],
    ["a raw control", "/a\x01b"],
    ["a raw line break", "/a\r\nb"],
    ["an escaped line break", "/a%0d%0Ab"],
    ["an escaped DEL", "/a%7fb"],
    ["raw DEL", "/a\x7fb"],
    ["a space", "/a b"],
    ["raw non-ASCII", "/café"],
    ["a fragment", "/a#b"],
    ["an escape that is none", "/a%zzb"],
    ["an escape cut short", "/a%2"],
    ["a lone percent sign", "/100%"],
    ["a %u escape", "/%u002f"],
    ["an overlong dot", "/%c0%ae%c0%ae/"],
    ["an overlong slash of three bytes", "/%e0%80%af"],
    ["an overlong slash encoded twice", "/%25c0%25af"],
    ["a surrogate", "/%ed%a0%80"],
    ["a UTF-8 sequence cut short", "/%e2%82"],
    ["Latin-1", "/caf%e9"],
    ["more readings than the limit", "/a%252F..%253Bx;y//b\\c%253Fd%2523e"],
    ["more bytes in all readings than the limit", "/a%252Fx;y//b".repeat(1000)],
    ["more bytes than the limit", `/${"a".repeat(limits.pathBytesMax)}`],
  ])("%s", (_, raw) => {
    expect(parseTarget(raw)).toBeNull();
  });
});

describe("a query", () => {
  test.each([
    ["is kept byte for byte", "/a?b=%2e%2E/../c;d\\e?f%zz%00", "?b=%2e%2E/../c;d\\e?f%zz%00"],
    ["may be empty", "/a?", "?"],
  ])("%s", (_, raw, query) => {
    expect(parseTarget(raw)).toMatchObject({ path: "/a", query });
  });

  test.each([
    ["a control", "/a?b\nc"],
    ["a space", "/a?b c"],
    ["a fragment", "/a?b#c"],
    ["raw non-ASCII", "/a?ü"],
  ])("with %s is refused", (_, raw) => {
    expect(parseTarget(raw)).toBeNull();
  });
});

describe("any path at all", () => {
  const pieces = fc.constantFrom(
    "a",
    "b",
    "/",
    "//",
    ".",
    "..",
    "%2e",
    "%2F",
    "%25",
    "25",
    "2f",
    ";x",
    "\\",
    "%5c",
    "?",
    "%3f",
    "%C3%A9",
    "%",
    "%c0",
    "#",
    "~",
  );
  const raws = fc.oneof(
    fc.array(pieces, { maxLength: 12 }).map((parts) => `/${parts.join("")}`),
    fc.string({ unit: "binary" }).map((text) => `/${text}`),
    fc.string(),
  );

  test("is refused, or already canonical the second time", () => {
    fc.assert(
      fc.property(raws, (raw) => {
        const target = parseTarget(raw);
        if (target === null) return;
        const again = parseTarget(target.path + target.query);
        expect(again).toMatchObject({ path: target.path, query: target.query });
      }),
      { numRuns: 5000 },
    );
  });

  test("keeps its readings within the bound, without duplicates, the canonical one first", () => {
    fc.assert(
      fc.property(raws, (raw) => {
        const target = parseTarget(raw);
        if (target === null) return;
        expect(target.readings.length).toBeLessThanOrEqual(limits.pathReadingsMax);
        expect(new Set(target.readings).size).toBe(target.readings.length);
        expect(target.readings[0]?.toLowerCase()).toBe(target.path.toLowerCase());
      }),
      { numRuns: 2000 },
    );
  });
});
