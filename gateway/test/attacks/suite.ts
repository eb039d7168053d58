// Rows as tests against a gateway of our own.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { awaiting } from "./awaiting.ts";
import { startOwnWorld } from "./own-world.ts";
import type { Row } from "./row.ts";
import type { World } from "./world.ts";

export function describeAttacks(what: string, rows: readonly Row[]): void {
  describe(what, () => {
    let world: World;
    beforeAll(async () => {
      world = await startOwnWorld();
    });
    afterAll(() => world?.stop());

    test.each(rows.filter(({ id }) => !awaiting.has(id)))("$id $name", async (row) => {
      const verdict = await row.run(world);
      expect(verdict, verdict.evidence).toMatchObject({ outcome: "passed" });
    });

    test.skip.each(
      rows.flatMap(({ id }) => ({ id, reason: awaiting.get(id) })).filter(({ reason }) => reason),
    )("$id waits: $reason", () => undefined);
  });
}
