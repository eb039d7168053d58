import { assert, constantFrom, integer, property } from "fast-check";
import { describe, expect, test } from "vitest";
import { aCredential } from "../store/testing.ts";
import { rotationLimits } from "./limits.ts";
import { createSchedule, dueAt, periodMs } from "./schedule.ts";

const command = ["make-key"];
const every = (rotateEvery: string) => aCredential({ createdAt: 0, rotation: { command, rotateEvery } });

describe("a period", () => {
  test.each([
    ["5m", 300_000],
    ["12h", 43_200_000],
    ["30d", 2_592_000_000],
    ["99999d", 8_639_913_600_000],
  ])("%s is %i ms", (text, ms) => {
    expect(periodMs(text)).toBe(ms);
  });

  test("grows with its number", () => {
    const count = integer({ min: 1, max: 99_998 });
    assert(
      property(count, constantFrom("m", "h", "d"), (n, unit) => {
        expect(periodMs(`${n + 1}${unit}`)).toBeGreaterThan(periodMs(`${n}${unit}`));
      }),
    );
  });
});

describe("a secret", () => {
  test.each([
    ["its period after it was made", aCredential({ ...every("1h"), createdAt: 1_000 }), 3_601_000],
    ["its period after its last rotation", aCredential({ ...every("1h"), rotatedAt: 5_000 }), 3_605_000],
    ["never without a period", aCredential({ rotation: { command } }), Infinity],
    ["never without a rotation", aCredential(), Infinity],
    ["never without a source", aCredential({ rotation: { rotateEvery: "1m" } }), Infinity],
  ])("is due %s", (_case, credential, at) => {
    expect(dueAt(credential)).toBe(at);
  });
});

describe("a schedule", () => {
  test("puts those that waited longest first", () => {
    const a = { ...every("2m"), id: "a" };
    const b = { ...every("1m"), id: "b" };
    const c = { ...every("3m"), id: "c" };
    expect(createSchedule(() => 120_000).due([a, b, c])).toEqual(["b", "a"]);
  });

  test("doubles the pause after each failure up to its limit, and forgets it after a success", () => {
    let now = 60_000;
    const schedule = createSchedule(() => now);
    const secret = every("1m");
    const pauses: number[] = [];
    for (let failures = 0; failures < 12; failures += 1) {
      schedule.ended(secret.id, false);
      let pause = rotationLimits.backoffMs;
      const began = now;
      while (schedule.due([secret]).length === 0) now = began + (pause *= 2) / 2;
      pauses.push(now - began);
    }
    expect(pauses.slice(0, 3)).toEqual([60_000, 120_000, 240_000]);
    expect(Math.max(...pauses)).toBeLessThan(rotationLimits.backoffMsMax * 2);
    schedule.ended(secret.id, true);
    schedule.ended(secret.id, false);
    now += rotationLimits.backoffMs;
    expect(schedule.due([secret])).toEqual([secret.id]);
  });

  test("forgets secrets that are gone", () => {
    const schedule = createSchedule(() => 60_000);
    schedule.ended("secret-1", false);
    expect(schedule.due([every("1m")])).toEqual([]);
    schedule.due([]);
    expect(schedule.due([every("1m")])).toEqual(["secret-1"]);
  });
});
