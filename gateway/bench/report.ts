// Figures → a table for people, or JSON. Says beside each figure what is expected of it; judges nothing.
import os from "node:os";
import type { Proof, TargetName } from "./bed.ts";
import type { BulkFigures } from "./bulk.ts";
import type { ConnectionFigures } from "./connections.ts";
import type { DecideFigure } from "./decide.ts";
import { type Expectation, expectAtMost, expectationRows } from "./expectation.ts";
import type { Samples } from "./interleave.ts";
import type { Latency } from "./latency.ts";
import type { MemoryFigure } from "./memory.ts";
import { bulkExpectations, bulkJson, bulkTable, scrubbingTable } from "./report-bulk.ts";
import type { RequestFigures } from "./requests.ts";
import { median, ratio, spread, summary, table } from "./statistics.ts";

/** A run of one section. */
export type BulkRun = Pick<Figures, "mode" | "bulk" | "proof">;

export interface Figures {
  readonly mode: string;
  readonly requests: RequestFigures;
  readonly newConnections: { readonly full: ConnectionFigures; readonly resumed: ConnectionFigures };
  /** ms */
  readonly ready: readonly number[];
  readonly memory: readonly MemoryFigure[];
  readonly decide: readonly DecideFigure[];
  readonly latency: readonly Latency[];
  readonly bulk: BulkFigures;
  readonly proof: Proof;
}

const MEBI = 1024 * 1024;
const NAMES: readonly TargetName[] = ["gateway", "bare", "mitm"];
const TITLES = { gateway: "gateway", bare: "bare pass", mitm: "http-mitm-proxy", direct: "direct" } as const;

export function expectations({ requests, newConnections, ready, memory, bulk }: Figures): Expectation[] {
  const { full, resumed } = newConnections;
  const [, first, ...later] = memory;
  const last = later.at(-1);
  return [
    expectAtMost(
      "CPU a request, gateway / bare pass",
      ratio(requests.cpu.gateway, requests.cpu.bare),
      "×",
      1.6,
    ),
    expectAtMost(
      "CPU a request, gateway / http-mitm-proxy",
      ratio(requests.cpu.gateway, requests.cpu.mitm),
      "×",
      0.35,
    ),
    expectAtMost(
      "CPU a new connection, gateway / bare pass",
      ratio(full.cpu.gateway, full.cpu.bare),
      "×",
      1.3,
    ),
    expectAtMost("the same, sessions resumed", ratio(resumed.cpu.gateway, resumed.cpu.bare), "×", 1.3),
    expectAtMost("ready, second start", median(ready), "ms", 500),
    ...(first === undefined
      ? []
      : [
          expectAtMost(
            `RSS after ${first.requests.toLocaleString("en")} requests`,
            first.rss / MEBI,
            "MB",
            160,
          ),
        ]),
    ...(first === undefined || last === undefined
      ? []
      : [
          expectAtMost(
            `RSS after ${last.requests.toLocaleString("en")} requests / after ${first.requests.toLocaleString("en")}`,
            last.rss / first.rss,
            "×",
            1.1,
          ),
        ]),
    ...bulkExpectations(bulk),
  ];
}

export function toJson(figures: Figures): string {
  const { requests, newConnections, ready, latency, memory, decide, bulk, proof, mode } = figures;
  const report = {
    mode,
    machine: machine(),
    expectations: expectations(figures),
    requests: { cpuUs: summary(requests.cpu), perSecond: summary(requests.rates) },
    newConnections: {
      full: { cpuUs: summary(newConnections.full.cpu), resumedShare: newConnections.full.resumed },
      resumed: { cpuUs: summary(newConnections.resumed.cpu), resumedShare: newConnections.resumed.resumed },
    },
    readyMs: { median: median(ready), all: ready },
    memory,
    decide,
    latency,
    bulk: bulkJson(bulk),
    proof,
  };
  return `${JSON.stringify(report, null, 2)}\n`;
}

export function bulkToJson({ mode, bulk, proof }: BulkRun): string {
  const expectations = bulkExpectations(bulk);
  const report = { mode, machine: machine(), expectations, bulk: bulkJson(bulk), proof };
  return `${JSON.stringify(report, null, 2)}\n`;
}

function machine() {
  const cpus = os.cpus();
  return {
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    cpu: cpus[0]?.model ?? "unknown",
    cores: cpus.length,
    loadAverage: os.loadavg()[0] ?? 0,
  };
}

export function toText(figures: Figures): string {
  return joined([
    title(figures.mode),
    table(["median (quartiles)", ...NAMES.map((name) => TITLES[name])], targetRows(figures)),
    table(["latency", "p50 ms", "p99 ms", "added p50", "added p99"], latencyRows(figures.latency)),
    table(["the gateway alone", ""], ownRows(figures)),
    bulkTable(figures.bulk),
    scrubbingTable(figures.bulk),
    expectationTable(expectations(figures)),
    proofText(figures.proof),
  ]);
}

export function bulkToText({ mode, bulk, proof }: BulkRun): string {
  return joined([
    title(mode),
    bulkTable(bulk),
    scrubbingTable(bulk),
    expectationTable(bulkExpectations(bulk)),
    proofText(proof),
  ]);
}

function title(mode: string): string {
  const { node, cpu, cores, loadAverage } = machine();
  return `Node ${node}, ${cores} × ${cpu}, load ${loadAverage.toFixed(1)}, ${mode} run`;
}

function expectationTable(list: readonly Expectation[]): string {
  return table(["expected", "is", "bound", "met"], expectationRows(list));
}

function joined(parts: readonly string[]): string {
  return `${parts.join("\n\n")}\n`;
}

function targetRows({ requests, newConnections }: Figures): string[][] {
  const row = (title: string, samples: Samples, digits = 0): string[] => [
    title,
    ...NAMES.map((name) => spread(samples[name], digits)),
  ];
  const share = ({ resumed }: ConnectionFigures): string =>
    NAMES.map((name) => `${Math.round(resumed[name] * 100)}%`).join(" ");
  return [
    row("CPU a request, µs", requests.cpu, 1),
    row("requests a second", requests.rates),
    row("CPU a new connection, µs", newConnections.full.cpu),
    row(`  session offered (resumed ${share(newConnections.resumed)}), µs`, newConnections.resumed.cpu),
  ];
}

function latencyRows(latency: readonly Latency[]): string[][] {
  return latency.flatMap(({ connections, p50, p99 }) =>
    (["direct", ...NAMES] as const).map((name) => [
      `${connections} connection${connections === 1 ? "" : "s"}, ${TITLES[name]}`,
      p50[name].toFixed(2),
      p99[name].toFixed(2),
      ...(name === "direct"
        ? ["", ""]
        : [(p50[name] - p50.direct).toFixed(2), (p99[name] - p99.direct).toFixed(2)]),
    ]),
  );
}

function ownRows({ ready, memory, decide }: Figures): string[][] {
  return [
    [`ready, ${ready.length} starts, ms`, spread(ready, 0)],
    ...memory.map(({ requests, rss }) => [
      `RSS after ${requests.toLocaleString("en")} requests, MB`,
      (rss / MEBI).toFixed(0),
    ]),
    ...decide.map(({ situation, ns }) => [`decide(), ${situation}, ns`, ns.toFixed(0)]),
  ];
}

function proofText({ throughGateway, throughOpen, throughMitm, credentialed, auditRows }: Proof): string {
  return [
    `Answered: ${throughGateway} requests through the gateway, ${throughOpen} more at the name without a credential,`,
    `and ${throughMitm} through http-mitm-proxy; the origin saw the real credential ${credentialed} times.`,
    `Rows in the gateway's audit: ${auditRows} (two a request).`,
  ].join("\n");
}
