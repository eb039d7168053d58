import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { classify } from "./address-class.ts";
import { inPrefix, parseAddress, parsePrefix, sameAddress } from "./address.ts";

describe("an IPv4 address", () => {
  test.each([
    ["0.0.0.0", "unspecified"],
    ["0.0.0.1", "reserved"],
    ["0.255.255.255", "reserved"],
    ["1.0.0.0", "public"],
    ["9.255.255.255", "public"],
    ["10.0.0.0", "private"],
    ["10.255.255.255", "private"],
    ["11.0.0.0", "public"],
    ["100.63.255.255", "public"],
    ["100.64.0.0", "cgnat"],
    ["100.100.100.200", "metadata"],
    ["100.127.255.255", "cgnat"],
    ["100.128.0.0", "public"],
    ["126.255.255.255", "public"],
    ["127.0.0.1", "loopback"],
    ["127.255.255.254", "loopback"],
    ["128.0.0.0", "public"],
    ["168.63.129.16", "metadata"],
    ["168.63.129.17", "public"],
    ["169.253.255.255", "public"],
    ["169.254.0.1", "link-local"],
    ["169.254.169.254", "metadata"],
    ["169.254.169.253", "link-local"],
    ["169.254.170.2", "metadata"],
    ["169.255.0.0", "public"],
    ["172.15.255.255", "public"],
    ["172.16.0.0", "private"],
    ["172.31.255.255", "private"],
    ["172.32.0.0", "public"],
    ["192.0.0.8", "reserved"],
    ["192.0.0.192", "metadata"],
    ["192.0.1.0", "public"],
    ["192.0.2.1", "documentation"],
    ["192.88.99.1", "reserved"],
    ["192.88.98.1", "public"],
    ["192.167.255.255", "public"],
    ["192.168.0.0", "private"],
    ["192.168.255.255", "private"],
    ["192.169.0.0", "public"],
    ["198.17.255.255", "public"],
    ["198.18.0.0", "benchmark"],
    ["198.19.255.255", "benchmark"],
    ["198.20.0.0", "public"],
    ["198.51.100.7", "documentation"],
    ["203.0.113.7", "documentation"],
    ["223.255.255.255", "public"],
    ["224.0.0.1", "multicast"],
    ["239.255.255.255", "multicast"],
    ["240.0.0.1", "reserved"],
    ["255.255.255.254", "reserved"],
    ["255.255.255.255", "multicast"],
  ])("%s is %s", (address, kind) => {
    expect(classify(address)).toEqual({ family: 4, class: kind });
  });
});

describe("an IPv6 address", () => {
  test.each([
    ["::", "unspecified"],
    ["::1", "loopback"],
    ["::2", "reserved"],
    ["100::1", "reserved"],
    ["200::1", "reserved"],
    ["1fff:ffff::1", "reserved"],
    ["2001:2::1", "benchmark"],
    ["2001:10::1", "reserved"],
    ["2001:20::1", "reserved"],
    ["2001:1ff::1", "reserved"],
    ["2001:200::1", "public"],
    ["2001:4860:4860::8888", "public"],
    ["2001:db8::1", "documentation"],
    ["2001:db9::1", "public"],
    ["2606:4700::1111", "public"],
    ["3ffe:ffff::1", "public"],
    ["3fff::1", "documentation"],
    ["3fff:fff::1", "documentation"],
    ["3fff:1000::1", "public"],
    ["4000::1", "reserved"],
    ["5f00::1", "reserved"],
    ["64:ff9b:1::7f00:1", "private"],
    ["fc00::1", "private"],
    ["fd00:ec2::254", "metadata"],
    ["fd00:ec2::255", "private"],
    ["fe00::1", "reserved"],
    ["fe80::1", "link-local"],
    ["febf::1", "link-local"],
    ["fec0::1", "private"],
    ["ff02::1", "multicast"],
  ])("%s is %s", (address, kind) => {
    expect(classify(address)).toEqual({ family: 6, class: kind });
  });
});

describe("an IPv6 address that carries an IPv4 address", () => {
  test.each([
    ["mapped public", "::ffff:8.8.8.8", "public"],
    ["mapped, in hexadecimal", "::ffff:7f00:1", "loopback"],
    ["mapped metadata", "::ffff:169.254.169.254", "metadata"],
    ["mapped unspecified", "::ffff:0.0.0.0", "unspecified"],
    ["compatible public", "::8.8.8.8", "reserved"],
    ["compatible loopback", "::127.0.0.1", "loopback"],
    ["translated (SIIT)", "::ffff:0:10.0.0.1", "private"],
    ["NAT64 public", "64:ff9b::8.8.8.8", "public"],
    ["NAT64 private", "64:ff9b::192.168.0.1", "private"],
    ["NAT64 metadata", "64:ff9b::a9fe:a9fe", "metadata"],
    ["6to4 public", "2002:808:808::1", "reserved"],
    ["6to4 loopback", "2002:7f00:1::1", "loopback"],
    ["6to4 metadata", "2002:a9fe:a9fe::", "metadata"],
    ["Teredo public", "2001:0:808:808:0:0:f7f7:f7f7", "reserved"],
    ["Teredo with a private server", "2001:0:a00:1:0:0:f7f7:f7f7", "private"],
    ["Teredo with a loopback client", "2001:0:808:808:0:0:80ff:fffe", "loopback"],
  ])("is judged by the stricter of both: %s (%s) is %s", (_case, address, kind) => {
    expect(classify(address)).toEqual({ family: 6, class: kind });
  });
});

describe("what is not a plain literal address", () => {
  test.each([
    "",
    "localhost",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "127.0.0.01",
    "127.0.0.1.",
    " 127.0.0.1",
    "127.0.0.1\0",
    "１27.0.0.1",
    "256.0.0.1",
    "[::1]",
    "fe80::1%eth0",
    "8.8.8.8%1",
    "::ffff:127.1",
    "1::2::3",
  ])("%j has no class", (address) => {
    expect(classify(address)).toBeNull();
  });
});

describe("the bytes of an address", () => {
  const octet = fc.integer({ min: 0, max: 255 });
  const groups = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 });

  test("are the octets of any IPv4 address", () => {
    fc.assert(
      fc.property(fc.tuple(octet, octet, octet, octet), (octets) => {
        expect([...(parseAddress(octets.join(".")) ?? [])]).toEqual(octets);
      }),
    );
  });

  test("are the same for every writing of an IPv6 address", () => {
    fc.assert(
      fc.property(groups, (values) => {
        const full = values.map((value) => value.toString(16).padStart(4, "0")).join(":");
        const compressed = new URL(`http://[${full}]`).hostname.slice(1, -1);
        const bytes = values.flatMap((value) => [value >> 8, value & 0xff]);
        const dotted = `${full.slice(0, 30)}${bytes.slice(12).join(".")}`;
        for (const text of [full, full.toUpperCase(), compressed, dotted]) {
          expect([...(parseAddress(text) ?? [])], text).toEqual(bytes);
        }
      }),
    );
  });

  test("of an IPv4-mapped address are judged as the IPv4 address is", () => {
    fc.assert(
      fc.property(fc.tuple(octet, octet, octet, octet), (octets) => {
        const ipv4 = octets.join(".");
        expect(classify(`::ffff:${ipv4}`)?.class).toBe(classify(ipv4)?.class);
        expect(sameAddress(`::ffff:${ipv4}`, ipv4)).toBe(true);
      }),
    );
  });

  test("are refused rather than thrown on, whatever the text", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => void classify(text)));
  });
});

describe("a prefix", () => {
  test.each([
    ["10.0.0.0/8", "10.255.0.1", true],
    ["10.0.0.0/8", "11.0.0.0", false],
    ["10.1.2.0/23", "10.1.3.255", true],
    ["10.1.2.0/23", "10.1.4.0", false],
    ["10.1.2.3", "10.1.2.3", true],
    ["10.1.2.3", "10.1.2.4", false],
    ["0.0.0.0/0", "1.2.3.4", true],
    ["0.0.0.0/0", "::1", false],
    ["fc00::/7", "fdff::1", true],
    ["fc00::/7", "fe00::1", false],
  ])("%s contains %s: %s", (prefix, address, contained) => {
    const parsed = parsePrefix(prefix);
    const bytes = parseAddress(address);
    expect(parsed !== null && bytes !== null && inPrefix(parsed, bytes)).toBe(contained);
  });

  test.each(["10.0.0.1/8", "10.0.0.0/33", "::/129", "10.0.0.0/08", "10.0.0.0/", "10.0.0.0/8/8", "/8", "a/8"])(
    "%s is malformed",
    (text) => expect(parsePrefix(text)).toBeNull(),
  );
});
