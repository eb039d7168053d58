import { describe, expect, test } from "vitest";
import { median, percentile, ratio } from "./statistics.ts";

describe("a median", () => {
  test.each([
    [[3], 3],
    [[5, 1, 3], 3],
    [[1, 2, 3, 100], 2.5],
  ])("of %j is %d", (values, expected) => {
    expect(median(values)).toBe(expected);
  });

  test("of nothing is not a number", () => {
    expect(median([])).toBeNaN();
  });

  test("leaves the values in their order", () => {
    const values = [3, 1, 2];
    median(values);
    expect(values).toEqual([3, 1, 2]);
  });
});

describe("a percentile", () => {
  const hundred = Array.from({ length: 100 }, (_, n) => n + 1);

  test.each([
    [0.5, 50],
    [0.99, 99],
    [1, 100],
    [0, 1],
  ])("at %d of 1 to 100 is %d", (share, expected) => {
    expect(percentile(hundred, share)).toBe(expected);
  });
});

describe("a ratio", () => {
  test("compares slices of the same round", () => {
    expect(ratio([10, 20, 90], [5, 10, 30])).toBe(2);
  });

  test("is not moved by one round that hit both", () => {
    expect(ratio([10, 1_000, 10], [5, 500, 5])).toBe(2);
  });
});
