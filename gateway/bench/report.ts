// Figures → a table for people, or JSON. Says beside each figure what is expected of it; judges nothing.
import os from "node:os";
import type { Proof, TargetName } from "./bed.ts";
import type { ConnectionFigures } from "./connections.ts";
import type { DecideFigure } from "./decide.ts";
import type { Samples } from "./interleave.ts";
import type { Latency } from "./latency.ts";
import type { MemoryFigure } from "./memory.ts";
import type { RequestFigures } from "./requests.ts";
import { median, percentile, ratio } from "./statistics.ts";

export interface Figures {
  readonly mode: string;
  readonly requests: RequestFigures;
  readonly newConnections: { readonly full: ConnectionFigures; readonly resumed: ConnectionFigures };
  /** ms */
  readonly ready: readonly number[];
  readonly memory: readonly MemoryFigure[];
  readonly decide: readonly DecideFigure[];
  readonly latency: readonly Latency[];
  readonly proof: Proof;
}

export interface Expectation {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly atMost: number;
  readonly met: boolean;
}

const MEBI = 1024 * 1024;
const NAMES: readonly TargetName[] = ["gateway", "bare", "mitm"];
const TITLES = { gateway: "gateway", bare: "bare pass", mitm: "http-mitm-proxy", direct: "direct" } as const;

export function expectations({ requests, newConnections, ready, memory }: Figures): Expectation[] {
  const { full, resumed } = newConnections;
  const [, first, ...later] = memory;
  const last = later.at(-1);
  return [
    expect("CPU a request, gateway / bare pass", ratio(requests.cpu.gateway, requests.cpu.bare), "×", 1.6),
    expect(
      "CPU a request, gateway / http-mitm-proxy",
      ratio(requests.cpu.gateway, requests.cpu.mitm),
      "×",
      0.35,
    ),
    expect("CPU a new connection, gateway / bare pass", ratio(full.cpu.gateway, full.cpu.bare), "×", 1.3),
    expect("the same, sessions resumed", ratio(resumed.cpu.gateway, resumed.cpu.bare), "×", 1.3),
    expect("ready, second start", median(ready), "ms", 500),
    ...(first === undefined
      ? []
      : [expect(`RSS after ${first.requests.toLocaleString("en")} requests`, first.rss / MEBI, "MB", 160)]),
    ...(first === undefined || last === undefined
      ? []
      : [
          expect(
            `RSS after ${last.requests.toLocaleString("en")} requests / after ${first.requests.toLocaleString("en")}`,
            last.rss / first.rss,
            "×",
            1.1,
          ),
        ]),
  ];
}

function expect(what: string, value: number, unit: string, atMost: number): Expectation {
  return { what, value, unit, atMost, met: value <= atMost };
}

export function toJson(figures: Figures): string {
  const { requests, newConnections, ready, latency, memory, decide, proof, mode } = figures;
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
    proof,
  };
  return `${JSON.stringify(report, null, 2)}\n`;
}

function summary(samples: Samples) {
  const of = (values: readonly number[]) => ({
    median: median(values),
    p25: percentile(values, 0.25),
    p75: percentile(values, 0.75),
    rounds: values.length,
  });
  return { gateway: of(samples.gateway), bare: of(samples.bare), mitm: of(samples.mitm) };
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
  const { node, cpu, cores, loadAverage } = machine();
  const parts = [
    `Node ${node}, ${cores} × ${cpu}, load ${loadAverage.toFixed(1)}, ${figures.mode} run`,
    table(["median (quartiles)", ...NAMES.map((name) => TITLES[name])], targetRows(figures)),
    table(["latency", "p50 ms", "p99 ms", "added p50", "added p99"], latencyRows(figures.latency)),
    table(["the gateway alone", ""], ownRows(figures)),
    table(["expected", "is", "at most", "met"], expectationRows(expectations(figures))),
    proofText(figures.proof),
  ];
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

function spread(values: readonly number[], digits: number): string {
  const [middle, low, high] = [median(values), percentile(values, 0.25), percentile(values, 0.75)];
  return `${middle.toFixed(digits)} (${low.toFixed(digits)}-${high.toFixed(digits)})`;
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

function expectationRows(list: readonly Expectation[]): string[][] {
  return list.map(({ what, value, unit, atMost, met }) => [
    what,
    `${value.toFixed(unit === "×" ? 2 : 0)} ${unit}`,
    `${atMost} ${unit}`,
    met ? "yes" : "NO",
  ]);
}

function proofText({ throughGateway, throughMitm, credentialed, auditRows }: Proof): string {
  return [
    `Answered: ${throughGateway} requests through the gateway and ${throughMitm} through http-mitm-proxy;`,
    `the origin saw the real credential ${credentialed} times. Rows in the gateway's audit: ${auditRows} (two a request).`,
  ].join("\n");
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const text = lines.map((line) =>
    widths
      .map((width, i) => (i === 0 ? (line[i] ?? "").padEnd(width) : (line[i] ?? "").padStart(width)))
      .join("  "),
  );
  const [first = "", ...rest] = text;
  return [first, "-".repeat(first.length), ...rest].join("\n");
}
