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
    const ids = allRows.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect([...ids].sort()).toEqual(ids);
  });
});
