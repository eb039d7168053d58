import { describe, expect, test } from "vitest";
import type { RateLimit, Rule } from "../model.ts";
import { connectionOf } from "../store/open.ts";
import { aRule } from "../store/testing.ts";
import { openResult, storeLimits, temporaryAudit } from "./testing.ts";

const NOON = Date.parse("2030-01-01T12:00:00Z");

function limit(count: number, window: RateLimit["window"], id = "rule-1"): Rule {
  return aRule({ id, name: id, rateLimit: { count, window } });
}

describe("a rate limit", () => {
  test.each([
    ["minute", 20_000, 40],
    ["hour", 20_000, 3580],
    ["day", 20_000, 12 * 3600 - 20],
  ] as const)(
    "of two a %s lets two through, and a third after the window",
    async (window, passed, retryAfterSeconds) => {
      const opened = await temporaryAudit({ now: NOON + passed });
      const rule = limit(2, window);
      const call = () => openResult(opened.audit, { limits: [rule] });
      expect([await call(), await call()]).toEqual([{ ok: true }, { ok: true }]);
      expect(await call()).toEqual({ ok: false, code: "rate_limited", rule, retryAfterSeconds });
      expect(opened.bodies()).toHaveLength(2);
      opened.now += retryAfterSeconds * 1000 - 1;
      expect(await call()).toMatchObject({ code: "rate_limited", retryAfterSeconds: 1 });
      opened.now += 1;
      expect(await call()).toEqual({ ok: true });
    },
  );

  test("is not exceeded by calls of one turn", async () => {
    const { audit, bodies } = await temporaryAudit();
    const results = await Promise.all(
      Array.from({ length: 50 }, () => openResult(audit, { limits: [limit(7, "day")] })),
    );
    expect(results.filter((result) => result.ok)).toHaveLength(7);
    expect(bodies()).toHaveLength(7);
  });

  test("is counted for each agent", async () => {
    const { audit } = await temporaryAudit();
    const limits = [limit(1, "day")];
    expect(await openResult(audit, { limits, agentId: "a" })).toEqual({ ok: true });
    expect(await openResult(audit, { limits, agentId: "b" })).toEqual({ ok: true });
    expect(await openResult(audit, { limits, agentId: "a" })).toMatchObject({ ok: false });
  });

  test("counts nothing when another limit of the call is exhausted", async () => {
    const { audit } = await temporaryAudit();
    const [wide, narrow] = [limit(2, "day", "wide"), limit(1, "day", "narrow")];
    expect(await openResult(audit, { limits: [wide, narrow] })).toEqual({ ok: true });
    expect(await openResult(audit, { limits: [wide, narrow] })).toMatchObject({ ok: false, rule: narrow });
    expect(await openResult(audit, { limits: [wide] })).toEqual({ ok: true });
    expect(await openResult(audit, { limits: [wide] })).toMatchObject({ ok: false, rule: wide });
  });

  test("survives a restart", async () => {
    const opened = await temporaryAudit();
    const rule = limit(2, "day");
    storeLimits(opened.store, rule);
    expect(await openResult(opened.audit, { limits: [rule] })).toEqual({ ok: true });
    await opened.restart();
    expect(await openResult(opened.audit, { limits: [rule] })).toEqual({ ok: true });
    expect(await openResult(opened.audit, { limits: [rule] })).toMatchObject({ code: "rate_limited" });
    await opened.restart();
    expect(await openResult(opened.audit, { limits: [rule] })).toMatchObject({ code: "rate_limited" });
  });

  test("whose rule was deleted does not fail the calls of the same commit", async () => {
    const opened = await temporaryAudit();
    const rule = limit(5, "day");
    storeLimits(opened.store, rule);
    const results = [openResult(opened.audit, { limits: [rule] }), openResult(opened.audit)];
    opened.store.rules.delete(rule.id);
    expect(await Promise.all(results)).toEqual([{ ok: true }, { ok: true }]);
    await opened.restart();
    const { db } = connectionOf(opened.store);
    expect(db.prepare("SELECT count(*) FROM rate_counters").pluck().get()).toBe(0);
  });

  test("is not opened again by a clock that is set back", async () => {
    const opened = await temporaryAudit({ now: NOON });
    const limits = [limit(1, "minute")];
    expect(await openResult(opened.audit, { limits })).toEqual({ ok: true });
    opened.now -= 600_000;
    expect(await openResult(opened.audit, { limits })).toMatchObject({
      code: "rate_limited",
      retryAfterSeconds: 660,
    });
  });

  test("starts anew when its window is changed", async () => {
    const { audit } = await temporaryAudit({ now: NOON + 90_000 });
    expect(await openResult(audit, { limits: [limit(1, "minute")] })).toEqual({ ok: true });
    expect(await openResult(audit, { limits: [limit(1, "day")] })).toEqual({ ok: true });
    expect(await openResult(audit, { limits: [limit(1, "day")] })).toMatchObject({ ok: false });
  });

  test("without a number refuses", async () => {
    const { audit } = await temporaryAudit();
    const rule = aRule({ rateLimit: null });
    expect(await openResult(audit, { limits: [rule] })).toMatchObject({ code: "rate_limited" });
  });
});
