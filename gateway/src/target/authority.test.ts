import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatAuthority, parseAuthority, sameAuthority } from "./authority.ts";

const label63 = "a".repeat(63);
const name253 = `${label63}.${label63}.${label63}.${"a".repeat(61)}`;

describe("an authority that is accepted", () => {
  test.each([
    ["a name", "api.example.com", "api.example.com:443", "name"],
    ["a name with a port", "api.example.com:8443", "api.example.com:8443", "name"],
    ["upper case", "API.Example.COM", "api.example.com:443", "name"],
    ["one trailing dot", "example.com.:80", "example.com:80", "name"],
    ["an underscore", "my_bucket.example.com", "my_bucket.example.com:443", "name"],
    ["a single label", "localhost:1", "localhost:1", "name"],
    ["an A-label", "xn--bcher-kva.example", "xn--bcher-kva.example:443", "name"],
    ["digits in a label that is not the last", "1.2.example", "1.2.example:443", "name"],
    ["a last label that only starts like a number", "a.0xg", "a.0xg:443", "name"],
    ["labels of 63 bytes, 253 in all", name253, `${name253}:443`, "name"],
    ["the same with a trailing dot", `${name253}.`, `${name253}:443`, "name"],
    ["the highest port", "a.example:65535", "a.example:65535", "name"],
    ["an IPv4 address", "203.0.113.7:8080", "203.0.113.7:8080", "ipv4"],
    ["an IPv6 address", "[2001:DB8:0:0:0:0:0:1]:8443", "[2001:db8::1]:8443", "ipv6"],
    ["loopback", "[::1]", "[::1]:443", "ipv6"],
    ["the unspecified address", "[0:0:0:0:0:0:0:0]", "[::]:443", "ipv6"],
    ["two equal runs of zeros: the first is shortened", "[1:0:0:2:0:0:3:4]", "[1::2:0:0:3:4]:443", "ipv6"],
    ["a single zero group is written", "[1:0:2:3:4:5:6:7]", "[1:0:2:3:4:5:6:7]:443", "ipv6"],
    ["`::` for one group", "[1::2:3:4:5:6:7]", "[1:0:2:3:4:5:6:7]:443", "ipv6"],
    ["an IPv4 tail", "[64:ff9b::192.0.2.1]", "[64:ff9b::c000:201]:443", "ipv6"],
    ["an IPv4-mapped address is the IPv4 address", "[::ffff:192.0.2.1]", "192.0.2.1:443", "ipv4"],
    ["the same in hex", "[::FFFF:c000:201]:80", "192.0.2.1:80", "ipv4"],
  ])("%s", (_, text, formatted, kind) => {
    const authority = parseAuthority(text, 443);
    expect(authority).toMatchObject({ kind });
    expect(authority && formatAuthority(authority)).toBe(formatted);
  });
});

describe("an authority that is refused", () => {
  test.each([
    ["nothing", ""],
    ["a port alone", ":443"],
    ["a dot alone", "."],
    ["userinfo", "user@example.com"],
    ["userinfo with a password", "a:b@example.com:443"],
    ["empty userinfo", "@example.com"],
    ["NUL", "example.com\0"],
    ["NUL inside", "example\0.com"],
    ["an escape", "example%2ecom"],
    ["%00", "example.com%00.evil.com"],
    ["a tab", "exam\tple.com"],
    ["a newline at the end", "example.com\n"],
    ["a newline after the port", "example.com:443\n"],
    ["CR LF", "example.com\r\nX: y"],
    ["a leading space", " example.com"],
    ["a trailing space", "example.com "],
    ["a path", "example.com/"],
    ["a backslash", "example.com\\@evil.com"],
    ["a query", "example.com?x"],
    ["a fragment", "example.com#x"],
    ["a list", "a.example,b.example"],
    ["a wildcard", "*.example.com"],
    ["port 0", "example.com:0"],
    ["port 65536", "example.com:65536"],
    ["six digits", "example.com:000443"],
    ["a leading zero", "example.com:0443"],
    ["an empty port", "example.com:"],
    ["two ports", "example.com:443:443"],
    ["a signed port", "example.com:+443"],
    ["a negative port", "example.com:-1"],
    ["a hex port", "example.com:0x1bb"],
    ["a service name", "example.com:https"],
    ["a space before the port", "example.com: 443"],
    ["digits of another script", "example.com:٤٤٣"],
    ["two dots", "a..b"],
    ["a leading dot", ".example.com"],
    ["two trailing dots", "example.com.."],
    ["a leading hyphen", "-a.example"],
    ["a trailing hyphen", "a-.example"],
    ["a label of 64 bytes", `a${label63}.example`],
    ["254 bytes", `b${name253}`],
    ["raw non-ASCII", "bücher.example"],
    ["a full-width dot", "example。com"],
    ["full-width letters", "ｅxample.com"],
    ["a zero-width space", "exam\u200bple.com"],
    ["an empty A-label", "xn--.example"],
    ["short IPv4", "127.1"],
    ["decimal IPv4", "2130706433"],
    ["hex IPv4", "0x7f000001"],
    ["hex in part", "0x7f.1"],
    ["octal IPv4", "0177.0.0.1"],
    ["an empty hex number", "127.0.0.0x"],
    ["IPv4 out of range", "256.0.0.1"],
    ["five numbers", "1.2.3.4.5"],
    ["a name that ends in a number", "example.1"],
    ["IPv6 without brackets", "::1"],
    ["IPv6 with a zone id", "[fe80::1%eth0]"],
    ["IPv6 with an escaped zone id", "[fe80::1%25eth0]"],
    ["an unclosed bracket", "[::1"],
    ["a name in brackets", "[example.com]"],
    ["IPv4 in brackets", "[127.0.0.1]"],
    ["an IPvFuture literal", "[v1.a]"],
    ["empty brackets", "[]"],
    ["two `::`", "[1::2::3]"],
    ["three colons", "[:::1]"],
    ["a single leading colon", "[:1:2:3:4:5:6:7]"],
    ["seven groups", "[1:2:3:4:5:6:7]"],
    ["nine groups", "[1:2:3:4:5:6:7:8:9]"],
    ["`::` that stands for nothing", "[1:2:3:4::5:6:7:8]"],
    ["a group of five digits", "[12345::]"],
    ["an IPv4 part that is not last", "[1.2.3.4::]"],
    ["a trailing dot after the bracket", "[::1]."],
    ["text after the bracket", "[::1]x:443"],
  ])("%s", (_, text) => {
    expect(parseAuthority(text, 443)).toBeNull();
  });

  test("a name without a port where there is no default", () => {
    expect(parseAuthority("example.com", null)).toBeNull();
    expect(parseAuthority("example.com:443", null)).not.toBeNull();
  });
});

describe("two authorities", () => {
  const authority = (text: string) => {
    const parsed = parseAuthority(text, 443);
    if (parsed === null) throw new Error(`${text} was refused`);
    return parsed;
  };

  test.each([
    ["case, trailing dot and default port make no difference", "Example.com.", "example.com:443", true],
    ["spellings of one address are the same", "[0::1]", "[::1]:443", true],
    ["another port differs", "example.com:8443", "example.com", false],
    ["another name differs", "example.com", "example.org", false],
  ])("%s", (_, a, b, expected) => {
    expect(sameAuthority(authority(a), authority(b))).toBe(expected);
  });

  test("the default port is left out when formatting", () => {
    expect(formatAuthority(authority("[::1]:443"), 443)).toBe("[::1]");
    expect(formatAuthority(authority("example.com:80"), 443)).toBe("example.com:80");
  });
});

describe("any text at all", () => {
  const tricky = fc.string({
    unit: fc.constantFrom(
      "a",
      "B",
      "1",
      "0",
      "x",
      ".",
      ":",
      "-",
      "_",
      "[",
      "]",
      "%",
      "@",
      "/",
      "\\",
      "\0",
      " ",
      "ü",
    ),
  });
  const addresses = fc.oneof(
    fc.ipV4(),
    fc.ipV4Extended(),
    fc.ipV6().map((text) => `[${text}]`),
  );
  const texts = fc.oneof(fc.string(), fc.string({ unit: "binary" }), tricky, fc.domain(), addresses);

  test("is refused, or survives being written and read again", () => {
    fc.assert(
      fc.property(texts, fc.option(fc.integer({ min: 1, max: 65_535 })), (text, port) => {
        const parsed = parseAuthority(text, port);
        if (parsed !== null) expect(parseAuthority(formatAuthority(parsed), null)).toEqual(parsed);
      }),
      { numRuns: 5000 },
    );
  });

  test("is refused, or means to a URL parser what it means here", () => {
    fc.assert(
      fc.property(texts, (text) => {
        const parsed = parseAuthority(text, 443);
        if (parsed !== null) {
          const url = new URL(`https://${formatAuthority(parsed, 443)}`);
          expect(url.host).toBe(formatAuthority(parsed, 443));
        }
      }),
      { numRuns: 5000 },
    );
  });
});
