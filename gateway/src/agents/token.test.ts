import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hashToken, makeAgentToken, maskToken, proxyCredentials } from "./token.ts";

const basic = (text: string) => Buffer.from(text, "utf8").toString("base64");

describe("an agent token", () => {
  test("is aoc_ and 64 hex digits, another one each time", () => {
    const tokens = Array.from({ length: 50 }, makeAgentToken);
    for (const token of tokens) expect(token).toMatch(/^aoc_[0-9a-f]{64}$/);
    expect(new Set(tokens).size).toBe(tokens.length);
  });

  test("is looked up by its SHA-256", () => {
    expect(hashToken("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  });

  test("shows its first and last four digits only", () => {
    expect(maskToken(`aoc_1234${"0".repeat(56)}cdef`)).toBe("aoc_1234••••••••cdef");
  });

  test("is masked whole when it is short", () => {
    expect(maskToken("aoc_12345678")).toBe("••••••••");
  });
});

describe("the credentials of a Proxy-Authorization field", () => {
  test.each([
    ["Basic, token as password", `Basic ${basic("x:aoc_1")}`, "aoc_1"],
    ["Basic, lower case", `basic ${basic("x:aoc_1")}`, "aoc_1"],
    ["Basic, several spaces", `BASIC   ${basic("x:aoc_1")} `, "aoc_1"],
    ["Basic, token as user, empty password", `Basic ${basic("aoc_1:")}`, "aoc_1"],
    ["Basic, no colon", `Basic ${basic("aoc_1")}`, "aoc_1"],
    ["Basic, colon in the password", `Basic ${basic("x:a:b")}`, "a:b"],
    ["Basic, empty user", `Basic ${basic(":aoc_1")}`, "aoc_1"],
    ["Bearer", "Bearer aoc_1", "aoc_1"],
    ["Bearer, mixed case", "bEaReR aoc_1", "aoc_1"],
  ])("are read: %s", (_, field, token) => expect(proxyCredentials(field)).toBe(token));

  test.each([
    ["nothing", ""],
    ["the scheme alone", "Basic"],
    ["the scheme and a space", "Bearer "],
    ["another scheme", "Digest aoc_1"],
    ["Basic, empty user and password", `Basic ${basic(":")}`],
    ["Basic without padding", `Basic ${basic("x:aoc_12").replace(/=+$/, "")}`],
    ["Basic with stray bits in the last character", "Basic YR=="],
    ["Basic in the URL alphabet", "Basic _-8="],
    ["Basic with a line break", `Basic ${basic("x:a\nb")}`],
    ["Basic with invalid UTF-8", `Basic ${Buffer.from([0x78, 0x3a, 0xff]).toString("base64")}`],
    ["two tokens", "Bearer a b"],
    ["two fields joined", "Bearer a, Bearer b"],
    ["an overlong value", `Bearer ${"a".repeat(5000)}`],
  ])("are refused: %s", (_, field) => expect(proxyCredentials(field)).toBeNull());

  test("never throw, whatever was sent", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => proxyCredentials(text) !== undefined));
    fc.assert(fc.property(fc.base64String(), (text) => proxyCredentials(`Basic ${text}`) !== undefined));
  });

  test("give back any token that was sent as a password", () => {
    const printable = fc.string({ minLength: 1, maxLength: 100, unit: "grapheme-ascii" });
    fc.assert(fc.property(printable, (token) => proxyCredentials(`Basic ${basic(`x:${token}`)}`) === token));
  });
});
