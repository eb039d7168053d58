// The suite against our own gateway; `npm run attack -- --proxy URL` aims it at another proxy.
import { describe, expect, test } from "vitest";
import { allRows } from "./rows/index.ts";
import { describeAttacks } from "./suite.ts";

describeAttacks(
  "an attack on a call",
  allRows.filter(({ id }) => id < "19"),
);

describe("a row", () => {
  test("has a number of its own, in order", () => {
    const numbers = allRows.map(({ id }) => id.split(".").map(Number));
    const isBefore = ([aClass = 0, a = 0]: number[], [bClass = 0, b = 0]: number[] = []) =>
      aClass < bClass || (aClass === bClass && a < b);
    expect(numbers.slice(0, -1).every((number, at) => isBefore(number, numbers[at + 1]))).toBe(true);
  });
});
