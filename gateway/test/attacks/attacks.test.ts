// The suite against our own gateway; `npm run attack -- --proxy URL` aims it at another proxy.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { awaiting } from "./awaiting.ts";
import { startOwnWorld } from "./own-world.ts";
import { allRows } from "./rows/index.ts";
import type { World } from "./world.ts";

let world: World;
beforeAll(async () => {
  world = await startOwnWorld();
});
afterAll(() => world?.stop());

describe("an attack on the gateway", () => {
  test.each(allRows.filter(({ id }) => !awaiting.has(id)))("$id $name", async (row) => {
    const verdict = await row.run(world);
    expect(verdict, verdict.evidence).toMatchObject({ outcome: "passed" });
  });

  test.skip.each([...awaiting].map(([id, reason]) => ({ id, reason })))(
    "$id waits: $reason",
    () => undefined,
  );

  test("has a number of its own", () => {
    const numbers = allRows.map(({ id }) => id.split(".").map(Number));
    const isBehind = ([aClass = 0, a = 0]: number[], [bClass = 0, b = 0]: number[] = []) =>
      aClass < bClass || (aClass === bClass && a < b);
    expect(numbers.slice(0, -1).every((number, at) => isBehind(number, numbers[at + 1]))).toBe(true);
  });
});
