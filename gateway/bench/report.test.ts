import { describe, expect, test } from "vitest";
import { bulkToText, type Figures, expectations, toJson, toText } from "./report.ts";
import { table } from "./statistics.ts";

const MEBI = 1024 * 1024;

function figuresWith({
  gateway = 50,
  memory = [100, 120, 125],
  openRate = 100,
  credentialed = 110,
} = {}): Figures {
  const cpu = { gateway: [gateway], bare: [40], mitm: [260] };
  const made = { cpu, resumed: { gateway: 1, bare: 1, mitm: 1 } };
  const latency = { direct: 0.1, gateway: 0.3, bare: 0.2, mitm: 0.4 };
  const bodies = { direct: [200], open: [openRate], gateway: [60], bare: [90], mitm: [50] };
  return {
    mode: "quick",
    requests: { cpu, rates: cpu },
    newConnections: { full: made, resumed: made },
    ready: [300, 310, 320],
    memory: memory.map((rss, n) => ({ requests: n * 100_000, rss: rss * MEBI })),
    decide: [{ situation: "10 rules on one host", rules: 10, ns: 500 }],
    latency: [{ connections: 1, p50: latency, p99: latency }],
    bulk: {
      rates: bodies,
      cpu: { direct: [1], open: [4_000], gateway: [9_000], bare: [3_000], mitm: [8_000] },
      requests: { gateway: [credentialed], open: [100] },
      firstEvent: { direct: [1], open: [2], gateway: [2.5] },
    },
    proof: { requests: 4, credentialed: 2, throughGateway: 1, throughOpen: 0, throughMitm: 1, auditRows: 2 },
  };
}

function met(figures: Figures): Record<string, boolean> {
  return Object.fromEntries(expectations(figures).map((each) => [each.what, each.met]));
}

describe("expectations", () => {
  test("are met when every figure is below its bound", () => {
    expect(Object.values(met(figuresWith()))).toEqual(Array.from({ length: 9 }, () => true));
  });

  test("are not met by a gateway at twice the bare pass's cost", () => {
    expect(met(figuresWith({ gateway: 80 }))).toMatchObject({
      "CPU a request, gateway / bare pass": false,
      "CPU a request, gateway / http-mitm-proxy": true,
    });
  });

  test("are not met by memory that goes on growing", () => {
    expect(met(figuresWith({ memory: [100, 120, 150] }))).toMatchObject({
      "RSS after 100,000 requests": true,
      "RSS after 200,000 requests / after 100,000": false,
    });
  });

  test.each([
    { openRate: 80, credentialed: 100, missed: "bulk MB/s, gateway without a credential / direct" },
    { openRate: 100, credentialed: 120, missed: "CPU a request, gateway with a credential / without" },
  ])("are not met by $missed beyond its bound", ({ missed, ...given }) => {
    expect(Object.entries(met(figuresWith(given))).filter(([, is]) => !is)).toEqual([[missed, false]]);
  });

  test("say nothing of growth when memory was read once", () => {
    expect(expectations(figuresWith({ memory: [100, 120] })).map(({ what }) => what)).not.toContainEqual(
      expect.stringContaining("/ after"),
    );
  });
});

describe("a report", () => {
  test("names what was expected and what is", () => {
    expect(toText(figuresWith())).toMatch(/gateway \/ bare pass +1\.25 × +≤ 1\.6 × +yes/);
    expect(toText(figuresWith({ gateway: 80 }))).toMatch(/gateway \/ bare pass +2\.00 × +≤ 1\.6 × +NO/);
  });

  test("says what scrubbing adds, in a run of that section too", () => {
    for (const text of [toText(figuresWith()), bulkToText(figuresWith())]) {
      expect(text).toMatch(/what scrubbing adds +\n-+\nCPU a MB, µs +5000\nfirst event, ms +0\.50/);
      expect(text).toMatch(/without a credential \/ direct +0\.50 × +≥ 0\.45 × +yes/);
    }
  });

  test("is one JSON document too", () => {
    expect(JSON.parse(toJson(figuresWith()))).toMatchObject({
      mode: "quick",
      requests: { cpuUs: { gateway: { median: 50, rounds: 1 } } },
      readyMs: { median: 310 },
      bulk: { mbPerSecond: { direct: { median: 200 } }, scrubbing: { cpuUsAMb: 5_000, firstEventMs: 0.5 } },
    });
  });

  test("aligns its columns", () => {
    expect(table(["what", "is"], [["a longer name", "1"]]).split("\n")).toEqual([
      "what           is",
      "-----------------",
      "a longer name   1",
    ]);
  });
});
