import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Enlisted, Roster } from "./roster.ts";

describe("a roster", () => {
  test("holds what a set would hold, whatever comes and goes", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat({ max: 9 }))), (steps) => {
        const members: (Enlisted & { id: number })[] = Array.from({ length: 10 }, (_, id) => ({
          id,
          rosterIndex: -1,
        }));
        const roster = new Roster<Enlisted & { id: number }>();
        const expected = new Set<number>();
        for (const [isAdd, index] of steps) {
          const member = members[index] as Enlisted & { id: number };
          if (isAdd) roster.add(member);
          else expect(roster.remove(member)).toBe(expected.has(index));
          if (isAdd) expected.add(index);
          else expected.delete(index);
        }
        expect([...roster].map(({ id }) => id).toSorted((a, b) => a - b)).toEqual(
          [...expected].toSorted((a, b) => a - b),
        );
        expect(roster.size).toBe(expected.size);
      }),
    );
  });

  test("may lose members while it is walked over", () => {
    const members = [0, 1, 2].map(() => ({ rosterIndex: -1 }));
    const roster = new Roster<Enlisted>();
    for (const member of members) roster.add(member);
    let seen = 0;
    for (const member of roster) {
      roster.remove(member);
      seen += 1;
    }
    expect([seen, roster.size]).toEqual([3, 0]);
  });
});
