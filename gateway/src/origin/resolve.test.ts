import { afterEach, describe, expect, test } from "vitest";
import { type NameServer, startNameServer } from "../../test/support/name-server.ts";
import { limits } from "../limits.ts";
import type { Authority } from "../target/contract.ts";
import { createResolver } from "./resolve.ts";

const never = new AbortController().signal;
const named = (host: string, port = 443): Authority => ({ host, port, kind: "name" });

let server: NameServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

describe("an override", () => {
  test("answers before DNS is asked, for its host and port only", async () => {
    const asked: string[] = [];
    const resolver = createResolver({
      overrides: "api.demo.test:443=127.0.0.1:8443, api.demo.test:443=[::1]:8444,[fd12::1]:80=10.0.0.1:8080",
      lookup: async (name) => [String(asked.push(name)), "192.0.2.1"].slice(1),
    });
    expect(await resolver.resolve(named("api.demo.test"), never)).toEqual([
      { address: "127.0.0.1", port: 8443 },
      { address: "::1", port: 8444 },
    ]);
    expect(await resolver.resolve({ host: "fd12::1", port: 80, kind: "ipv6" }, never)).toEqual([
      { address: "10.0.0.1", port: 8080 },
    ]);
    expect(asked).toEqual([]);
    expect(await resolver.resolve(named("api.demo.test", 444), never)).toEqual([
      { address: "192.0.2.1", port: 444 },
    ]);
    expect(asked).toEqual(["api.demo.test"]);
  });

  test.each([
    "api.demo.test:443",
    "api.demo.test=127.0.0.1:1",
    "api.demo.test:443=127.0.0.1",
    "api.demo.test:443=other.test:443",
    "api.demo.test:443=::1:443",
    "api.demo.test:443=127.0.0.1:1=127.0.0.1:2",
    "api.demo.test:443=127.0.0.1:99999",
  ])("%j is refused at start, with its text in the message", (overrides) => {
    expect(() => createResolver({ overrides })).toThrow(`"${overrides}"`);
  });
});

describe("a literal address", () => {
  test.each([
    { host: "127.0.0.1", port: 80, kind: "ipv4" },
    { host: "::1", port: 443, kind: "ipv6" },
  ] as const)("is its own answer: $host", async (authority) => {
    const resolver = createResolver({ lookup: () => Promise.reject(new Error("asked")) });
    const { host: address, port } = authority;
    expect(await resolver.resolve(authority, never)).toEqual([{ address, port }]);
  });
});

describe("a name", () => {
  test("is asked of the system's resolver when nothing else is said", async () => {
    const addresses = await createResolver({}).resolve(named("localhost"), never);
    expect(addresses.map(({ address }) => address)).toContain("127.0.0.1");
  });

  test("is asked as it is, and answered with all its addresses", async () => {
    server = await startNameServer(() => ["192.0.2.1", "192.0.2.2", "2001:db8::1"]);
    const resolver = createResolver({ lookup: server.lookup });
    const addresses = await resolver.resolve(named("a_b.demo.test", 8443), never);
    expect(addresses.toSorted((a, b) => a.address.localeCompare(b.address))).toEqual([
      { address: "192.0.2.1", port: 8443 },
      { address: "192.0.2.2", port: 8443 },
      { address: "2001:db8::1", port: 8443 },
    ]);
    expect(server.questions.toSorted()).toEqual(["1 a_b.demo.test", "28 a_b.demo.test"]);
  });

  test("is asked again for each connection, as nothing is kept", async () => {
    server = await startNameServer((_name, time) => [`192.0.2.${time + 1}`]);
    const resolver = createResolver({ lookup: server.lookup });
    expect(await resolver.resolve(named("api.demo.test"), never)).toMatchObject([{ address: "192.0.2.1" }]);
    expect(await resolver.resolve(named("api.demo.test"), never)).toMatchObject([{ address: "192.0.2.2" }]);
  });

  test.each([
    ["has no address", () => Promise.resolve([])],
    [
      "is unknown",
      () => Promise.reject(Object.assign(new Error("getaddrinfo ENOTFOUND"), { code: "ENOTFOUND" })),
    ],
  ])("that %s is unreachable", async (_case, lookup) => {
    const failed = createResolver({ lookup }).resolve(named("gone.demo.test"), never);
    await expect(failed).rejects.toMatchObject({ code: "origin_unreachable" });
    await expect(failed).rejects.toThrow(/^gone\.demo\.test can't be reached/);
  });

  test("with more addresses than the bound is cut to the bound, without repetitions", async () => {
    const many = Array.from({ length: 100 }, (_, index) => `198.51.100.${index}`);
    const resolver = createResolver({ lookup: async () => [...many.slice(0, 1), ...many] });
    const addresses = await resolver.resolve(named("api.demo.test"), never);
    expect(addresses.map(({ address }) => address)).toEqual(many.slice(0, limits.resolvedAddressesMax));
  });
});

describe("many who ask at once", () => {
  /** Answers when told to. */
  function heldLookup() {
    const held = new Map<string, () => void>();
    const asked: string[] = [];
    const lookup = (name: string) =>
      new Promise<string[]>((resolve) => {
        asked.push(name);
        held.set(name, () => resolve(["192.0.2.1"]));
      });
    return { lookup, asked, answer: (name: string) => held.get(name)?.() };
  }

  test("share the answer for one name", async () => {
    const { lookup, asked, answer } = heldLookup();
    const resolver = createResolver({ lookup });
    const all = [1, 2, 3].map((port) => resolver.resolve(named("api.demo.test", port), never));
    answer("api.demo.test");
    expect((await Promise.all(all)).flat().map(({ port }) => port)).toEqual([1, 2, 3]);
    expect(asked).toEqual(["api.demo.test"]);
  });

  test("wait for a free lookup, in their order", async () => {
    const { lookup, asked, answer } = heldLookup();
    const resolver = createResolver({ lookup });
    const names = Array.from({ length: limits.originLookupsMax + 2 }, (_, index) => `n${index}.test`);
    const all = names.map((name) => resolver.resolve(named(name), never));
    expect(asked).toEqual(names.slice(0, limits.originLookupsMax));
    answer("n5.test");
    await all[5];
    expect(asked).toEqual(names.slice(0, limits.originLookupsMax + 1));
  });

  test("leave no work behind when they stop waiting", async () => {
    const { lookup, asked, answer } = heldLookup();
    const resolver = createResolver({ lookup });
    const busy = Array.from({ length: limits.originLookupsMax }, (_, index) => `n${index}.test`);
    const first = busy.map((name) => resolver.resolve(named(name), never));
    const leaving = new AbortController();
    const left = resolver.resolve(named("left.test"), leaving.signal);
    const last = resolver.resolve(named("last.test"), never);
    leaving.abort(new Error("left"));
    await expect(left).rejects.toThrow("left");
    answer("n0.test");
    await first[0];
    answer("last.test");
    await last;
    expect(asked).not.toContain("left.test");
  });

  test("are refused beyond the bound of those who wait", async () => {
    const { lookup } = heldLookup();
    const resolver = createResolver({ lookup });
    const places = limits.originLookupsMax + limits.originLookupQueueMax;
    for (let index = 0; index < places; index++) {
      resolver.resolve(named(`n${index}.test`), never).catch(() => {});
    }
    await expect(resolver.resolve(named("late.test"), never)).rejects.toThrow(/too many names/);
  });

  test("and are aborted at once do not wait for the answer", async () => {
    const resolver = createResolver({ lookup: () => new Promise(() => {}) });
    const signal = AbortSignal.abort(new Error("gone"));
    await expect(resolver.resolve(named("api.demo.test"), signal)).rejects.toThrow("gone");
  });
});
