// Medians, percentiles and their tables: single slow slices are the machine's doing, not the target's.

/** Nearest rank; `share` from 0 to 1. NaN when there is nothing. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const rank = Math.max(1, Math.ceil(share * sorted.length));
  return sorted[rank - 1] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/** Median of the quotients, each of two slices that ran one after the other. */
export function ratio(of: readonly number[], to: readonly number[]): number {
  return median(of.map((value, i) => value / (to[i] ?? Number.NaN)));
}

export function spread(values: readonly number[], digits: number): string {
  const [middle, low, high] = [median(values), percentile(values, 0.25), percentile(values, 0.75)];
  return `${middle.toFixed(digits)} (${low.toFixed(digits)}-${high.toFixed(digits)})`;
}

export function summary<Name extends string>(samples: Readonly<Record<Name, readonly number[]>>) {
  return Object.fromEntries(
    Object.entries<readonly number[]>(samples).map(([name, values]) => [
      name,
      {
        median: median(values),
        p25: percentile(values, 0.25),
        p75: percentile(values, 0.75),
        rounds: values.length,
      },
    ]),
  );
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
