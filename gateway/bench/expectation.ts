// What is expected of a figure, and whether it is so.

export interface Expectation {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** one of the two is null */
  readonly atMost: number | null;
  readonly atLeast: number | null;
  readonly met: boolean;
}

export function expectAtMost(what: string, value: number, unit: string, atMost: number): Expectation {
  return { what, value, unit, atMost, atLeast: null, met: value <= atMost };
}

/** of a ratio */
export function expectAtLeast(what: string, value: number, atLeast: number): Expectation {
  return { what, value, unit: "×", atMost: null, atLeast, met: value >= atLeast };
}

export function expectationRows(list: readonly Expectation[]): string[][] {
  return list.map(({ what, value, unit, atMost, atLeast, met }) => [
    what,
    `${value.toFixed(unit === "×" ? 2 : 0)} ${unit}`,
    atMost === null ? `≥ ${atLeast} ${unit}` : `≤ ${atMost} ${unit}`,
    met ? "yes" : "NO",
  ]);
}
