import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { addressBytes, canonicalServerName } from "./server-name.ts";

describe("a server name", () => {
  test.each([
    ["a.test", "a.test"],
    ["A.Test.", "a.test"],
    ["xn--bcher-kva.example", "xn--bcher-kva.example"],
    ["_dmarc.a_b.test", "_dmarc.a_b.test"],
    ["localhost", "localhost"],
    ["1.2.3.4", "1.2.3.4"],
    ["2001:DB8:0:0::1", "2001:db8::1"],
    ["::ffff:192.0.2.1", "::ffff:c000:201"],
    ["a.123a", "a.123a"],
  ])("%s is taken as %s", (given, canonical) => {
    expect(canonicalServerName(given)).toBe(canonical);
  });

  test.each([
    "",
    ".",
    "a..test",
    ".a.test",
    "a.test..",
    "-a.test",
    "a-.test",
    "*.test",
    "a b.test",
    "a\u0000.test",
    "a.test\n",
    "b\u00fccher.example",
    "a/b",
    "user@a.test",
    "[::1]",
    "fe80::1%eth0",
    "127.1",
    "1.2.3.4.",
    "01.2.3.4",
    "0x7f000001",
    "a.0x1",
    "2130706433",
    `${"a".repeat(64)}.test`,
    `${"a.".repeat(126)}aa`,
  ])("%j is refused", (given) => {
    expect(() => canonicalServerName(given)).toThrow(expect.objectContaining({ code: "bad_server_name" }));
  });
});

describe("the bytes of an address", () => {
  test.each([
    ["192.0.2.7", "c0000207"],
    ["::", "0".repeat(32)],
    ["::1", `${"0".repeat(31)}1`],
    ["2001:db8::", `20010db8${"0".repeat(24)}`],
    ["1:2:3:4:5:6:7:8", "00010002000300040005000600070008"],
    ["::ffff:192.0.2.1", `${"0".repeat(20)}ffffc0000201`],
  ])("of %s are %s", (address, hex) => {
    expect(Buffer.from(addressBytes(address)).toString("hex")).toBe(hex);
  });

  test("are the same for every IPv6 address that they were written from", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
        const text = Buffer.from(bytes).toString("hex").match(/.{4}/g)!.join(":");
        expect(addressBytes(text)).toEqual(bytes);
        expect(addressBytes(canonicalServerName(text))).toEqual(bytes);
      }),
    );
  });
});
