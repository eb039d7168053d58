import { describe, expect, test } from "vitest";
import { limits } from "../limits.ts";
import { connectionOf } from "../store/open.ts";
import { aRule } from "../store/testing.ts";
import { aClosing, anOpening, aRefusal, controlEvent, openResult, temporaryAudit } from "./testing.ts";

describe("an opening", () => {
  test("is answered after its row is in the database, not before", async () => {
    const { audit, bodies } = await temporaryAudit();
    const seen: unknown[] = [];
    audit.open(anOpening({ exchangeId: "e1" }), () => seen.push(bodies().length));
    expect(seen).toEqual([]);
    audit.flush();
    expect(seen).toEqual([1]);
    expect(bodies()[0]).toMatchObject({ seq: 1, type: "open", exchangeId: "e1", secrets: ["Example key"] });
  });

  test("needs no flush: the turn of the event loop writes it", async () => {
    const { audit, bodies } = await temporaryAudit();
    expect(await Promise.all([1, 2, 3].map(() => openResult(audit)))).toEqual([
      { ok: true },
      { ok: true },
      { ok: true },
    ]);
    expect(bodies()).toHaveLength(3);
  });

  test("is one transaction with the others of its turn", async () => {
    const { audit, store } = await temporaryAudit();
    const { db } = connectionOf(store);
    const before = db.prepare("SELECT total_changes()").pluck().get() as number;
    for (let n = 0; n < 5; n++) audit.open(anOpening(), () => expect(db.inTransaction).toBe(false));
    audit.close(aClosing());
    audit.flush();
    expect((db.prepare("SELECT total_changes()").pluck().get() as number) - before).toBe(6);
  });

  test("that nobody has room for is refused at once", async () => {
    const { audit, bodies } = await temporaryAudit();
    const results: unknown[] = [];
    for (let n = 0; n < limits.auditQueueRowsMax + 3; n++)
      audit.open(anOpening(), (result) => results.push(result));
    expect(results).toEqual(Array.from({ length: 3 }, () => ({ ok: false, code: "audit_unavailable" })));
    audit.flush();
    expect(bodies()).toHaveLength(limits.auditQueueRowsMax);
  });

  test("after the end is refused", async () => {
    const { audit, bodies } = await temporaryAudit();
    audit.stop();
    expect(await openResult(audit)).toEqual({ ok: false, code: "audit_unavailable" });
    audit.refuse(aRefusal());
    audit.flush();
    expect(bodies()).toEqual([]);
  });

  test("is answered even when another caller throws", async () => {
    const { audit, logged } = await temporaryAudit();
    const answers: unknown[] = [];
    audit.open(anOpening(), () => {
      throw new Error("a value that must not be logged");
    });
    audit.open(anOpening(), (result) => answers.push(result));
    audit.flush();
    expect(answers).toEqual([{ ok: true }]);
    expect(logged()).toEqual(["a caller of the audit failed on its answer (Error)"]);
  });

  test("whose caller writes again in its answer is followed by that", async () => {
    const { audit, bodies } = await temporaryAudit();
    audit.open(anOpening(), () => {
      audit.close(aClosing());
      audit.control(controlEvent("nested"));
      audit.flush();
    });
    audit.flush();
    expect(bodies().map((body) => body.type)).toEqual(["open", "control", "close"]);
  });
});

describe("every kind of row", () => {
  test("holds its members, times and numbers", async () => {
    const { audit, bodies } = await temporaryAudit({ now: 1_700_000_000_000 });
    audit.open(anOpening({ limits: [aRule()] }), () => {});
    audit.close(aClosing({ headersMs: Number.NaN, totalMs: 12.5 }));
    audit.refuse(aRefusal());
    audit.flush();
    audit.control({ ...controlEvent("secret.created"), detail: { names: ["a"], n: 1, none: null } });
    const at = "2023-11-14T22:13:20.000Z";
    expect(bodies()).toEqual([
      { seq: 1, type: "open", at, ...anOpening(), limits: ["Five a minute"] },
      { seq: 2, type: "close", at, ...aClosing(), headersMs: null, totalMs: 12.5 },
      { seq: 3, type: "refusal", at, ...aRefusal() },
      {
        seq: 4,
        type: "control",
        at,
        action: "secret.created",
        actor: "key-1",
        target: null,
        detail: { names: ["a"], n: 1, none: null },
      },
    ]);
  });

  test("is cut where a text is too long", async () => {
    const { audit, bodies } = await temporaryAudit();
    audit.refuse(aRefusal({ path: "/".repeat(limits.auditTextCharactersMax + 10) }));
    audit.flush();
    expect(String(bodies()[0]?.["path"])).toHaveLength(limits.auditTextCharactersMax + 1);
  });
});

describe("407s", () => {
  test("are one row with a count for each source", async () => {
    const { audit, bodies } = await temporaryAudit();
    for (const source of ["10.0.0.1", "10.0.0.2", "10.0.0.1", "__proto__"]) audit.challenge(source);
    audit.stop();
    const [row, ...more] = bodies();
    expect(more).toEqual([]);
    expect(row).toMatchObject({ type: "challenge", count: 4 });
    expect(Object.entries(row?.["sources"] as object)).toEqual([
      ["10.0.0.1", 2],
      ["10.0.0.2", 1],
      ["__proto__", 1],
    ]);
  });

  test("from too many sources are counted together", async () => {
    const { audit, bodies } = await temporaryAudit();
    for (let n = 0; n < limits.auditRefusalSourcesMax + 5; n++) audit.challenge(`source-${n}`);
    audit.stop();
    expect(bodies()[0]).toMatchObject({ count: limits.auditRefusalSourcesMax + 5, sources: { others: 5 } });
  });

  test("are written about a second later", async () => {
    const { audit, bodies } = await temporaryAudit();
    audit.challenge("10.0.0.1");
    expect(bodies()).toEqual([]);
    await expect.poll(() => bodies().length, { timeout: 5000 }).toBe(1);
  });
});

describe("a control event", () => {
  test("is in the chain when its transaction commits", async () => {
    const { audit, store, bodies, verify } = await temporaryAudit();
    store.transaction(() => {
      store.meta.set("change", "made");
      audit.control(controlEvent("a"));
      audit.control(controlEvent("b"));
    });
    expect(bodies().map((body) => body["action"])).toEqual(["a", "b"]);
    expect(await verify()).toMatchObject({ valid: true, records: 2 });
  });

  test("is gone with its change when the transaction throws, and the chain goes on", async () => {
    const { audit, store, bodies, verify } = await temporaryAudit();
    audit.control(controlEvent("before"));
    audit.open(anOpening(), () => {});
    const work = () =>
      store.transaction(() => {
        store.meta.set("change", "made");
        audit.control(controlEvent("lost"));
        audit.control(controlEvent("lost too"));
        throw new Error("stop");
      });
    expect(work).toThrow("stop");
    expect(store.meta.get("change")).toBeUndefined();
    audit.control(controlEvent("after"));
    audit.flush();
    expect(bodies().map((body) => [body.seq, body["action"] ?? body.type])).toEqual([
      [1, "before"],
      [2, "after"],
      [3, "open"],
    ]);
    expect(await verify()).toMatchObject({ valid: true, records: 3 });
  });

  test("without a transaction of the caller has its own", async () => {
    const { audit, bodies } = await temporaryAudit();
    audit.control(controlEvent("alone"));
    expect(bodies()).toHaveLength(1);
  });

  test("does not take waiting rows into its transaction", async () => {
    const { audit, store, bodies } = await temporaryAudit();
    audit.open(anOpening(), () => {});
    const work = () =>
      store.transaction(() => {
        audit.flush();
        throw new Error("stop");
      });
    expect(work).toThrow("stop");
    expect(bodies()).toEqual([]);
    await expect.poll(() => bodies().length).toBe(1);
  });

  test("that can't be written keeps the change from being made", async () => {
    const { audit, store } = await temporaryAudit();
    connectionOf(store).db.exec(
      "CREATE TRIGGER no BEFORE INSERT ON audit_records BEGIN SELECT RAISE(ABORT, 'no'); END",
    );
    const work = () =>
      store.transaction(() => {
        store.meta.set("change", "made");
        audit.control(controlEvent("a"));
      });
    expect(work).toThrow("no");
    expect(store.meta.get("change")).toBeUndefined();
  });
});

describe("a full disk", () => {
  test("refuses openings, writes nothing of them, and is over when there is room", async () => {
    const { audit, store, bodies, logged, verify } = await temporaryAudit();
    await openResult(audit);
    const { db } = connectionOf(store);
    const pages = db.pragma("page_count", { simple: true }) as number;
    db.pragma(`max_page_count = ${pages}`);
    const results = await Promise.all(
      Array.from({ length: 200 }, () => openResult(audit, { path: "/".repeat(2000) })),
    );
    expect(new Set(results.map((result) => (result.ok ? "ok" : result.code)))).toEqual(
      new Set(["audit_unavailable"]),
    );
    expect([audit.healthy, bodies().length]).toEqual([false, 1]);
    audit.refuse(aRefusal({ path: `/late${"/".repeat(100_000)}` }));
    audit.flush();
    expect([audit.healthy, bodies().length]).toEqual([false, 1]);

    db.pragma("max_page_count = 1000000");
    expect(await openResult(audit)).toEqual({ ok: true });
    expect(audit.healthy).toBe(true);
    expect(bodies().map((body) => body.type)).toEqual(["open", "refusal", "open"]);
    expect(logged()).toEqual([
      "audit rows can't be written (SQLITE_FULL): calls are refused until they can",
      "audit rows are written again",
    ]);
    expect(await verify()).toMatchObject({ valid: true, records: 3 });
  });

  test("is tried again without a caller", async () => {
    const { audit, store, bodies } = await temporaryAudit();
    const { db } = connectionOf(store);
    db.pragma(`max_page_count = ${db.pragma("page_count", { simple: true }) as number}`);
    for (let n = 0; n < 20; n++) audit.refuse(aRefusal({ path: "/".repeat(10_000) }));
    audit.flush();
    expect(audit.healthy).toBe(false);
    db.pragma("max_page_count = 1000000");
    await expect.poll(() => bodies().length).toBe(20);
    expect(audit.healthy).toBe(true);
  });

  test("does not count the calls that it refused", async () => {
    const { audit, store } = await temporaryAudit();
    const { db } = connectionOf(store);
    const limited = { limits: [aRule({ rateLimit: { count: 1, window: "day" } })] };
    db.exec("CREATE TRIGGER no BEFORE INSERT ON audit_records BEGIN SELECT RAISE(ABORT, 'no'); END");
    expect(await openResult(audit, limited)).toEqual({ ok: false, code: "audit_unavailable" });
    db.exec("DROP TRIGGER no");
    expect(await openResult(audit, limited)).toEqual({ ok: true });
    expect(await openResult(audit, limited)).toMatchObject({ ok: false, code: "rate_limited" });
  });

  test("says how many rows found no room", async () => {
    const { audit, bodies } = await temporaryAudit();
    for (let n = 0; n < limits.auditQueueRowsMax * 2 + 7; n++) audit.refuse(aRefusal());
    audit.flush();
    const [first] = bodies();
    expect(first).toMatchObject({ type: "control", action: "audit.rows_dropped", detail: { count: 7 } });
  });
});
