import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Bed, openBed, type Target } from "./bed.ts";
import { type Connection, openConnection } from "./connection.ts";
import type { ConnectResult, LoadResult } from "./load.ts";
import type { Usage } from "./probe.js";

let bed: Bed;
beforeAll(async () => {
  bed = await openBed(null);
});
afterAll(() => bed.close());

function target(name: string): Target {
  const found = bed.targets.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no target ${name}`);
  return found;
}

describe("a target of the test bed", () => {
  test.each([
    { name: "gateway", placed: 6 },
    { name: "bare", placed: 0 },
    { name: "mitm", placed: 6 },
  ])("$name passes each request on, $placed of 6 with the real credential", async ({ name, placed }) => {
    const { route } = target(name);
    const before = await bed.proof();
    await bed.load.ask("open", { route, connections: 2 });
    const { requests } = await bed.load.ask<LoadResult>("run", { route, connections: 2, requests: 6 });
    const after = await bed.proof();
    expect(requests).toBe(6);
    expect(after.requests - before.requests).toBe(6);
    expect(after.credentialed - before.credentialed).toBe(placed);
  });

  test.each(["gateway", "bare", "mitm"])(
    "%s resumes TLS sessions when the client offers them",
    async (name) => {
      const { route } = target(name);
      const offered = { route, count: 3, concurrency: 1, resume: true };
      await bed.load.ask("connect", offered);
      expect(await bed.load.ask<ConnectResult>("connect", offered)).toEqual({ count: 3, resumed: 3 });
      const fresh = { ...offered, resume: false };
      expect(await bed.load.ask<ConnectResult>("connect", fresh)).toEqual({ count: 3, resumed: 0 });
    },
  );

  test.each(["gateway", "bare", "mitm"])("%s says what it has used", async (name) => {
    const { cpuUs, rss } = await target(name).child.ask<Usage>("usage");
    expect(cpuUs).toBeGreaterThan(10_000);
    expect(rss).toBeGreaterThan(10_000_000);
  });
});

describe("the load generator", () => {
  test("takes no answer but 200", async () => {
    const { route } = target("gateway");
    const connection: Connection = await openConnection(route, null);
    const blocked = `GET /admin/2/x HTTP/1.1\r\nHost: ${route.authority}\r\n\r\n`;
    await expect(connection.send(Buffer.from(blocked))).rejects.toThrow("HTTP/1.1 403");
  });

  test("is refused without the agent's token", async () => {
    const route = { ...target("gateway").route, proxyCredentials: "Basic eDp4" };
    await expect(openConnection(route, null)).rejects.toThrow("407");
  });
});
