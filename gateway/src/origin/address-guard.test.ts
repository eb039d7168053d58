import { networkInterfaces } from "node:os";
import { describe, expect, test } from "vitest";
import type { Authority } from "../target/contract.ts";
import { createAddressGuard } from "./address-guard.ts";
import type { Endpoint } from "./endpoint.ts";

const named = (host: string, port = 443): Authority => ({ host, port, kind: "name" });
const guardOf = (allowPrivate: string, own: readonly Endpoint[] = []) =>
  createAddressGuard({ allowPrivate, ownAddresses: () => own });

interface Case {
  allowPrivate?: string;
  authority?: Authority;
  address: string;
  port?: number;
}

function permitted({
  allowPrivate = "",
  authority = named("api.demo.test"),
  address,
  port = 443,
}: Case): boolean {
  return guardOf(allowPrivate).permits(authority, { address, port });
}

describe("without exceptions", () => {
  test.each(["93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"])(
    "the public address %s is permitted",
    (address) => expect(permitted({ address })).toBe(true),
  );

  test.each([
    "127.0.0.1",
    "10.0.0.1",
    "172.17.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.1.1",
    "169.254.169.254",
    "168.63.129.16",
    "198.18.0.1",
    "192.0.2.1",
    "240.0.0.1",
    "::1",
    "fd00::1",
    "fe80::1",
    "::ffff:127.0.0.1",
    "::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "2002:7f00:1::",
  ])("%s is refused, and permitted once it is named", (address) => {
    expect(permitted({ address })).toBe(false);
    expect(permitted({ address, allowPrivate: address })).toBe(true);
  });

  test.each([
    "0.0.0.0",
    "::",
    "224.0.0.1",
    "ff02::1",
    "255.255.255.255",
    "fe80::1%eth0",
    "name.test",
    "127.1",
    "",
  ])("%j is refused even where everything is allowed", (address) =>
    expect(permitted({ address, allowPrivate: "0.0.0.0/0,::/0" })).toBe(false),
  );
});

describe("an exception", () => {
  test.each([
    ["10.0.0.1", { address: "10.0.0.1" }, true],
    ["10.0.0.1", { address: "10.0.0.2" }, false],
    ["10.0.0.1", { address: "::ffff:10.0.0.1" }, true],
    ["::ffff:10.0.0.1", { address: "10.0.0.1" }, true],
    ["10.0.0.1", { address: "64:ff9b::10.0.0.1" }, false],
    ["10.0.0.1:8443", { address: "10.0.0.1", port: 8443 }, true],
    ["10.0.0.1:8443", { address: "10.0.0.1", port: 443 }, false],
    ["10.0.0.0/8", { address: "10.9.9.9" }, true],
    ["10.0.0.0/8", { address: "192.168.0.1" }, false],
    ["fd00::/8", { address: "fd12::1" }, true],
    ["[fd12::1]", { address: "fd12::1" }, true],
    ["[fd12::1]:8443", { address: "fd12::1", port: 8443 }, true],
    ["[fd12::1]:8443", { address: "fd12::1", port: 443 }, false],
    ["api.demo.test:443", { address: "127.0.0.1" }, true],
    ["API.demo.test.:443", { address: "127.0.0.1" }, true],
    ["api.demo.test:443", { address: "127.0.0.1", authority: named("api.demo.test", 8443) }, false],
    ["api.demo.test:443", { address: "127.0.0.1", authority: named("other.demo.test") }, false],
    ["api.demo.test:443", { address: "127.0.0.1", authority: named("x.api.demo.test") }, false],
    [" 10.0.0.1 , 10.0.0.2 ,", { address: "10.0.0.2" }, true],
  ] satisfies [string, Case, boolean][])("%j for %j permits: %s", (allowPrivate, destination, expected) => {
    expect(permitted({ allowPrivate, ...destination })).toBe(expected);
  });

  test("for a name and port counts the port that was asked for, whatever it is mapped to", () => {
    const guard = guardOf("api.demo.test:443");
    expect(guard.permits(named("api.demo.test"), { address: "127.0.0.1", port: 39_000 })).toBe(true);
  });

  test.each([
    ["169.254.169.254", true],
    ["169.254.169.254/32", true],
    ["169.254.169.254:80", true],
    ["169.254.169.254:81", false],
    ["169.254.0.0/16", false],
    ["0.0.0.0/0", false],
    ["metadata.test:80", false],
  ])("%s lifts the refusal of a metadata service: %s", (allowPrivate, expected) => {
    const destination = { address: "169.254.169.254", port: 80, authority: named("metadata.test", 80) };
    expect(permitted({ allowPrivate, ...destination })).toBe(expected);
  });

  test("names the ports that it opens", () => {
    const guard = guardOf("api.demo.test:8443,10.0.0.1:8080,10.0.0.2,10.0.0.0/8,[fd12::1]:9000");
    expect([...guard.allowedPorts]).toEqual([8443, 8080, 9000]);
  });

  test.each([
    "api.demo.test",
    "api.demo.test:0",
    "api.demo.test:65536",
    "api.demo.test:https",
    "*.demo.test:443",
    "10.0.0.1/8",
    "10.0.0.0/8:443",
    "127.1:443",
    "0x7f000001:443",
    "2130706433:443",
    "fd12::1:x",
    "[10.0.0.1]:443",
    "[10.0.0.1]",
    "[fd12::/16]",
    "fe80::1%eth0",
    "https://api.demo.test",
    "a b:443",
  ])("%j is refused at start, with its text in the message", (entry) => {
    expect(() => guardOf(`10.0.0.9,${entry}`)).toThrow(`"${entry}"`);
  });
});

describe("the gateway's own address", () => {
  const everything = "0.0.0.0/0,::/0,127.0.0.1,127.0.0.1:10254,self.test:10254,64:ff9b::127.0.0.1";

  test.each([
    ["127.0.0.1", "127.0.0.1", true],
    ["127.0.0.1", "::ffff:127.0.0.1", true],
    ["127.0.0.1", "64:ff9b::127.0.0.1", true],
    ["127.0.0.1", "2002:7f00:1::1", true],
    ["::ffff:127.0.0.1", "127.0.0.1", true],
    ["127.0.0.1", "127.0.0.2", false],
    ["172.17.0.1", "172.17.0.1", true],
    ["172.17.0.1", "172.17.0.2", false],
    ["::1", "::1", true],
    ["0.0.0.0", "127.0.0.1", true],
    ["0.0.0.0", "127.9.9.9", true],
    ["0.0.0.0", "10.255.254.253", false],
    ["::", "127.0.0.1", true],
    ["::", "::1", true],
  ])("listening on %s, %s is refused though it is named: %s", (listening, address, refused) => {
    const guard = guardOf(everything, [{ address: listening, port: 10_254 }]);
    expect(guard.permits(named("self.test", 10_254), { address, port: 10_254 })).toBe(!refused);
    expect(guard.permits(named("self.test", 10_254), { address, port: 10_255 })).toBe(true);
  });

  test("is every address of the machine when it listens on a wildcard address", () => {
    const guard = guardOf(everything, [{ address: "0.0.0.0", port: 10_254 }]);
    const local = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
    expect(local.length).toBeGreaterThan(0);
    for (const { address } of local) {
      expect(guard.permits(named("self.test", 10_254), { address, port: 10_254 }), address).toBe(false);
    }
  });

  test("is asked for at each check, so that a listener opened later counts", () => {
    const own: Endpoint[] = [];
    const guard = guardOf("127.0.0.1", own);
    const destination = { address: "127.0.0.1", port: 10_254 };
    expect(guard.permits(named("self.test", 10_254), destination)).toBe(true);
    own.push(destination);
    expect(guard.permits(named("self.test", 10_254), destination)).toBe(false);
  });
});
