// The section "bulk and scrubbing": rows for people, figures for JSON, and what is expected of them.
import type { BulkFigures, WayName } from "./bulk.ts";
import { type Expectation, expectAtLeast, expectAtMost } from "./expectation.ts";
import { median, ratio, spread, summary, table } from "./statistics.ts";

const TITLES: Readonly<Record<WayName, string>> = {
  direct: "direct",
  open: "gateway, plain",
  gateway: "gateway, scrubbed",
  bare: "bare pass",
  mitm: "http-mitm-proxy",
};
const NAMES = Object.keys(TITLES) as WayName[];

export function bulkExpectations({ rates, requests }: BulkFigures): Expectation[] {
  return [
    expectAtLeast("bulk MB/s, gateway without a credential / direct", ratio(rates.open, rates.direct), 0.45),
    expectAtMost(
      "CPU a request, gateway with a credential / without",
      ratio(requests.gateway, requests.open),
      "×",
      1.15,
    ),
  ];
}

export function bulkTable({ rates, cpu, firstEvent, requests }: BulkFigures): string {
  const known: Partial<Record<WayName, readonly number[]>> = firstEvent;
  const small: Partial<Record<WayName, readonly number[]>> = requests;
  const cell = (values: readonly number[] | undefined, digits: number): string =>
    values === undefined ? "" : spread(values, digits);
  return table(
    ["bulk and scrubbing", ...NAMES.map((name) => TITLES[name])],
    [
      ["32 MB body, MB/s", ...NAMES.map((name) => cell(rates[name], 0))],
      // The origin works for all of them: its own CPU says nothing.
      ["CPU a MB, µs", ...NAMES.map((name) => (name === "direct" ? "" : cell(cpu[name], 0)))],
      ["CPU a small request, µs", ...NAMES.map((name) => cell(small[name], 1))],
      ["first event of a stream, ms", ...NAMES.map((name) => cell(known[name], 2))],
    ],
  );
}

/** The same figures in one line each: what the search adds. */
export function scrubbingTable(figures: BulkFigures): string {
  const { cpuUsAMb, firstEventMs } = scrubbingCost(figures);
  return table(
    ["what scrubbing adds", ""],
    [
      ["CPU a MB, µs", cpuUsAMb.toFixed(0)],
      ["first event, ms", firstEventMs.toFixed(2)],
    ],
  );
}

export function bulkJson(figures: BulkFigures) {
  const { rates, cpu, requests, firstEvent } = figures;
  return {
    mbPerSecond: summary(rates),
    cpuUsAMb: summary({ gateway: cpu.gateway, open: cpu.open, bare: cpu.bare, mitm: cpu.mitm }),
    cpuUsARequest: summary(requests),
    firstEventMs: summary(firstEvent),
    scrubbing: scrubbingCost(figures),
  };
}

function scrubbingCost({ cpu, firstEvent }: BulkFigures) {
  const added = cpu.gateway.map((value, round) => value - (cpu.open[round] ?? Number.NaN));
  return {
    cpuUsAMb: median(added),
    firstEventMs: median(firstEvent.gateway) - median(firstEvent.open),
  };
}
