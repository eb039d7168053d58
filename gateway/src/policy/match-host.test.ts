import { describe, expect, test } from "vitest";
import { parseAuthority } from "../target/authority.ts";
import { matchesHost, parseHostPattern, validateHostPattern } from "./match-host.ts";

describe("a host pattern that is accepted", () => {
  test.each([
    ["a name", "api.example.com", "api.example.com", null],
    ["upper case and a trailing dot", "API.Example.com.", "api.example.com", null],
    ["a port", "api.example.com:8443", "api.example.com:8443", 8443],
    ["the default port, written", "api.example.com:443", "api.example.com:443", 443],
    ["a wildcard", "*.Example.com", "*.example.com", null],
    ["a wildcard with a port", "*.example.com:8443", "*.example.com:8443", 8443],
    ["an IPv4 address", "10.0.0.1:8443", "10.0.0.1:8443", 8443],
    ["an IPv6 address", "[::0:1]:443", "[::1]:443", 443],
    ["one host below a public suffix", "me.github.io", "me.github.io", null],
    ["a wildcard below a name below a public suffix", "*.me.github.io", "*.me.github.io", null],
    ["an A-label", "xn--bcher-kva.example", "xn--bcher-kva.example", null],
  ])("%s, for a secret and for a rule", (_, text, pattern, port) => {
    expect(validateHostPattern(text, { forSecret: true })).toMatchObject({ ok: true, pattern, port });
    expect(validateHostPattern(text, { forSecret: false })).toMatchObject({ ok: true, pattern, port });
  });

  test.each([
    ["every host", "*"],
    ["every host on a port", "*:8443"],
    ["everything below a top-level domain", "*.com"],
    ["everything below a public suffix", "*.co.uk"],
    ["everything on a shared host", "*.github.io"],
  ])("%s, for a rule and never for a secret", (_, text) => {
    expect(validateHostPattern(text, { forSecret: false })).toMatchObject({ ok: true, pattern: text });
    expect(validateHostPattern(text, { forSecret: true })).toMatchObject({ ok: false });
  });
});

describe("a host pattern that is refused says what to write", () => {
  test.each([
    ["nothing", "", "write a host"],
    ["a scheme", "https://api.example.com/v1", "write the host only: api.example.com"],
    ["a path", "api.example.com/v1", "write the host only: api.example.com, and the path in pathPattern"],
    ["a space", "api example.com", "spaces"],
    ["a line break", "api.example.com\n", "spaces"],
    ["a user name", "me@example.com", "user name"],
    ["* at the end", "api.*", "*.example.com"],
    ["* in a label", "api*.example.com", "*.example.com"],
    ["* without a dot", "*example.com", "*.example.com"],
    ["two *", "*.*.example.com", "*.example.com"],
    ["raw non-ASCII", "*.bücher.example:8443", "*.xn--bcher-kva.example:8443"],
    ["a wildcard over an IPv4 address", "*.10.0.0.1", "write the address itself"],
    ["a wildcard over an IPv6 address", "*.[::1]", "write the address itself"],
    ["IPv6 without brackets", "::1", "[::1]:443"],
    ["a number", "2130706433", "is not a host"],
    ["short IPv4", "127.1", "is not a host"],
    ["port 0", "example.com:0", "port from 1 to 65535"],
    ["port 65536", "*:65536", "port from 1 to 65535"],
    ["an empty label", "a..example", "is not a host"],
  ])("%s", (_, text, hint) => {
    const check = validateHostPattern(text, { forSecret: false });
    expect(check).toMatchObject({ ok: false, message: expect.stringContaining(hint) });
    expect(parseHostPattern(text)).toBeNull();
  });

  test("a wildcard over a public suffix, with the suffix in the message", () => {
    const check = validateHostPattern("*.co.uk", { forSecret: true });
    expect(check).toMatchObject({ ok: false, message: expect.stringContaining("*.example.co.uk") });
  });
});

describe("a host pattern and an authority", () => {
  test.each([
    ["api.example.com", "api.example.com", true],
    ["api.example.com", "API.example.com.", true],
    ["api.example.com", "api.example.com:8443", true],
    ["api.example.com:8443", "api.example.com", false],
    ["api.example.com", "x.api.example.com", false],
    ["*.example.com", "a.b.example.com", true],
    ["*.example.com", "example.com", false],
    ["*.example.com", "badexample.com", false],
    ["*.example.com", "api.example.com.evil.test", false],
    ["192.0.2.1", "[::ffff:192.0.2.1]", true],
    ["192.0.2.1", "192.0.2.11", false],
    ["*", "[::1]:1", true],
    ["*:443", "example.com:80", false],
  ])("%s against %s: %s", (text, host, expected) => {
    const pattern = parseHostPattern(text);
    const authority = parseAuthority(host, 443);
    if (pattern === null || authority === null) throw new Error("must be readable");
    expect(matchesHost(pattern, authority, null)).toBe(expected);
  });

  test("a default port stands in for the one that is not written", () => {
    const pattern = parseHostPattern("example.com");
    const authority = parseAuthority("example.com:8443", null);
    if (pattern === null || authority === null) throw new Error("must be readable");
    expect(matchesHost(pattern, authority, 443)).toBe(false);
    expect(matchesHost(pattern, { ...authority, port: 443 }, 443)).toBe(true);
  });
});
