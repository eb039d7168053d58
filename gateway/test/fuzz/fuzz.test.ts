import { describe, expect, test } from "vitest";
import { fuzz } from "./fuzz.ts";
import { createRandom, mutate } from "./mutate.ts";

describe("broken bytes from both sides", () => {
  // Seeds that once found something are kept here; the soak goes on from others.
  test.each([1, 20_000, 40_000])("do no harm, from seed %i on", async (seed) => {
    const { inputs, findings } = await fuzz({ seed, msMax: 6_000, inputsMax: 150 });
    expect(findings).toEqual([]);
    expect(inputs).toBeGreaterThan(20);
  });

  test("are the same for the same seed", () => {
    const input = Buffer.from("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    const twice = [7, 7].map((seed) => mutate(input, createRandom(seed)).toString("hex"));
    expect(twice[0]).toBe(twice[1]);
  });
});
