import { describe, expect, test } from "vitest";
import { limits } from "../limits.ts";
import { connectionOf } from "../store/open.ts";
import { chainHash } from "./chain.ts";
import { startRetention } from "./retention.ts";
import { createSegments } from "./segments.ts";
import { createSigner, genesis } from "./signature.ts";
import {
  anchorKey,
  anOpening,
  aRefusal,
  openResult,
  temporaryAudit,
  type TemporaryAudit,
} from "./testing.ts";
import { verifyChain } from "./verify.ts";

const DAY_MS = 86_400_000;

function write(opened: TemporaryAudit, count: number): void {
  for (let n = 0; n < count; n++) opened.audit.refuse(aRefusal({ path: `/${n}` }));
  opened.audit.flush();
}

/** Three closed segments of 10 rows each and 5 rows after them; the end is signed. */
async function threeSegments(): Promise<TemporaryAudit> {
  const opened = await temporaryAudit();
  for (let n = 0; n < 3; n++) {
    write(opened, 9);
    opened.now += limits.auditSegmentAgeMsMax;
    write(opened, 1);
  }
  opened.now += 10_000;
  write(opened, 5);
  return opened;
}

function execute(opened: TemporaryAudit, ...statements: string[]): void {
  for (const statement of statements) connectionOf(opened.store).db.exec(statement);
}

/** What an attacker without the key can do: change a row and compute every later hash again. */
function rewriteFrom(opened: TemporaryAudit, seq: number): void {
  const { db } = connectionOf(opened.store);
  const update = db.prepare("UPDATE audit_records SET body = ?, hash = ? WHERE seq = ?");
  let previous = genesis.hash;
  const rows = db
    .prepare<[], { seq: number; body: string }>("SELECT seq, body FROM audit_records ORDER BY seq")
    .all();
  for (const row of rows) {
    const body = row.seq === seq ? row.body.replace("DELETE", "GET") : row.body;
    previous = chainHash(previous, body);
    update.run(body, previous, row.seq);
  }
}

describe("an untouched chain", () => {
  test("verifies, empty too", async () => {
    const opened = await temporaryAudit();
    expect(await opened.verify()).toEqual({
      valid: true,
      records: 0,
      segments: 0,
      fromSeq: null,
      toSeq: null,
      problem: null,
    });
    write(opened, 3);
    expect(await opened.verify()).toMatchObject({ valid: true, records: 3, fromSeq: 1, toSeq: 3 });
  });

  test("verifies over segments and restarts", async () => {
    const opened = await threeSegments();
    expect(await opened.verify()).toEqual({
      valid: true,
      records: 35,
      segments: 3,
      fromSeq: 1,
      toSeq: 35,
      problem: null,
    });
    await opened.restart();
    write(opened, 2);
    expect(await opened.verify()).toMatchObject({ valid: true, records: 37 });
    expect(opened.logged()).toEqual([]);
  });

  test("verifies while rows are written", async () => {
    const opened = await temporaryAudit();
    write(opened, limits.auditVerifyPageRows * 3);
    const verification = opened.verify();
    write(opened, 10);
    expect(await verification).toMatchObject({ valid: true, records: limits.auditVerifyPageRows * 3 });
  });

  test("closes a segment when it has its rows", async () => {
    const opened = await temporaryAudit();
    for (let n = 0; n < limits.auditSegmentRowsMax / 10_000; n++) write(opened, 10_000);
    expect(await opened.verify()).toMatchObject({ valid: true, segments: 1 });
  });
});

describe("a chain that someone changed", () => {
  const cases: [string, (opened: TemporaryAudit) => void, RegExp][] = [
    [
      "one body",
      (o) => execute(o, "UPDATE audit_records SET body = replace(body, 'DELETE', 'GET') WHERE seq = 7"),
      /row 7 was changed/,
    ],
    [
      "one body into no JSON",
      (o) => execute(o, "UPDATE audit_records SET body = 'x' WHERE seq = 7"),
      /row 7 was changed/,
    ],
    [
      "one hash",
      (o) => execute(o, "UPDATE audit_records SET hash = zeroblob(32) WHERE seq = 7"),
      /row 7 was changed/,
    ],
    [
      "a hash into none",
      (o) => execute(o, "UPDATE audit_records SET hash = x'00' WHERE seq = 7"),
      /row 7 was changed/,
    ],
    ["the first row away", (o) => execute(o, "DELETE FROM audit_records WHERE seq = 1"), /row 1 is missing/],
    [
      "rows in the middle away",
      (o) => execute(o, "DELETE FROM audit_records WHERE seq BETWEEN 12 AND 14"),
      /rows 12 to 14 are missing/,
    ],
    [
      "the newest rows away",
      (o) => execute(o, "DELETE FROM audit_records WHERE seq > 33"),
      /rows 34 to 35 are missing at the end/,
    ],
    ["all rows away", (o) => execute(o, "DELETE FROM audit_records"), /rows 1 to 35 are missing/],
    [
      "two rows' order",
      (o) =>
        execute(
          o,
          "UPDATE audit_records SET seq = 99 WHERE seq = 5",
          "UPDATE audit_records SET seq = 5 WHERE seq = 6",
          "UPDATE audit_records SET seq = 6 WHERE seq = 99",
        ),
      /row 5 was changed/,
    ],
    ["a row and every hash after it", (o) => rewriteFrom(o, 34), /row 35 is not the one that was signed/],
    [
      "a row of a segment and every hash after it",
      (o) => rewriteFrom(o, 3),
      /row 10 is not the one that segment 1 ends with/,
    ],
    [
      "a segment's end",
      (o) => execute(o, "UPDATE audit_segments SET last_hash = zeroblob(32) WHERE id = 2"),
      /segment 2 was not signed/,
    ],
    [
      "a segment away",
      (o) => execute(o, "DELETE FROM audit_segments WHERE id = 2"),
      /the segment that begins with row 11 is missing/,
    ],
    [
      "the oldest segment to retired",
      (o) =>
        execute(
          o,
          "UPDATE audit_segments SET retired_at = 5 WHERE id = 1",
          "DELETE FROM audit_records WHERE seq <= 10",
        ),
      /retired segment 1 was not signed/,
    ],
    [
      "the signed end away",
      (o) => execute(o, "DELETE FROM meta WHERE key = 'audit_head'"),
      /signed end of the chain is missing/,
    ],
    [
      "the signed end",
      (o) =>
        execute(
          o,
          "UPDATE meta SET value = json_set(value, '$.seq', 33) WHERE key = 'audit_head'",
          "DELETE FROM audit_records WHERE seq > 33",
        ),
      /was not signed by this installation/,
    ],
    [
      "everything away",
      (o) => execute(o, "DELETE FROM audit_records", "DELETE FROM audit_segments"),
      /rows 1 to 35 are missing/,
    ],
  ];
  test.each(cases)("(%s) does not verify", async (_, change, problem) => {
    const opened = await threeSegments();
    expect((await opened.verify()).valid).toBe(true);
    change(opened);
    expect(await opened.verify()).toMatchObject({
      valid: false,
      problem: expect.stringMatching(problem) as string,
    });
  });

  test.each(cases.filter(([name]) => !/segment/.test(name)))(
    "(%s) does not verify after a restart either",
    async (_, change) => {
      const opened = await threeSegments();
      const { db } = connectionOf(opened.store);
      const head = db.prepare("SELECT value FROM meta WHERE key = 'audit_head'").pluck().get() as string;
      opened.audit.stop();
      db.prepare("UPDATE meta SET value = ? WHERE key = 'audit_head'").run(head);
      change(opened);
      await opened.restart();
      write(opened, 3);
      await opened.restart();
      expect(await opened.verify()).toMatchObject({ valid: false });
    },
  );

  test("is reported to the operator and in the chain when the gateway starts", async () => {
    const opened = await threeSegments();
    execute(opened, "DELETE FROM audit_records WHERE seq > 33");
    // The files as a kill would leave them: nothing is signed again.
    opened.audit.stop();
    await opened.restart();
    expect(opened.logged()[0]).toMatch(/audit rows 34 to 35 are missing/);
    expect(opened.bodies().at(-1)).toMatchObject({ seq: 36, action: "audit.chain_broken" });
    expect((await openResult(opened.audit)).ok).toBe(true);
  });

  test("does not verify with the key of another installation", async () => {
    const opened = await threeSegments();
    const { db } = connectionOf(opened.store);
    expect(await verifyChain(db, Buffer.alloc(32, 8))).toMatchObject({ valid: false });
  });
});

describe("retention", () => {
  test("deletes whole segments that are old enough, and the rest verifies", async () => {
    const opened = await threeSegments();
    expect(await opened.audit.retire(DAY_MS)).toBe(2);
    expect(opened.bodies()[0]?.seq).toBe(21);
    expect(opened.bodies().slice(-2)).toMatchObject([
      { action: "audit.segment_retired", target: "1", detail: { firstSeq: 1, lastSeq: 10 } },
      { action: "audit.segment_retired", target: "2" },
    ]);
    expect(await opened.verify()).toMatchObject({ valid: true, fromSeq: 21, toSeq: 37, segments: 1 });
    await opened.restart();
    write(opened, 1);
    expect(await opened.verify()).toMatchObject({ valid: true, toSeq: 38 });
    expect(await opened.audit.retire(DAY_MS)).toBe(0);
  });

  test("keeps what is younger", async () => {
    const opened = await threeSegments();
    expect(await opened.audit.retire(10 * DAY_MS)).toBe(0);
    expect(opened.bodies()).toHaveLength(35);
  });

  test("goes on where it was interrupted", async () => {
    const opened = await threeSegments();
    const segments = createSegments(connectionOf(opened.store).db, createSigner(anchorKey));
    const [first] = segments.closed();
    if (first) segments.markRetired({ ...first, retiredAt: opened.now });
    expect(await opened.verify()).toMatchObject({ valid: true, fromSeq: 11 });
    await opened.restart();
    await opened.audit.retire(100 * DAY_MS);
    expect(opened.bodies()[0]?.seq).toBe(11);
    expect(await opened.verify()).toMatchObject({ valid: true, fromSeq: 11 });
  });

  test("does not disturb a verification that is running", async () => {
    const opened = await temporaryAudit();
    write(opened, limits.auditVerifyPageRows * 2);
    opened.now += limits.auditSegmentAgeMsMax;
    write(opened, 1);
    opened.now += DAY_MS;
    const [verification] = await Promise.all([opened.verify(), opened.audit.retire(DAY_MS)]);
    expect(verification.problem).toBeNull();
  });

  test("does not delete the evidence of a change", async () => {
    const opened = await threeSegments();
    execute(opened, "UPDATE audit_segments SET last_hash = zeroblob(32) WHERE id = 1");
    expect(await opened.audit.retire(0)).toBe(0);
    expect(opened.logged()[0]).toMatch(/segment 1 was changed/);
    expect(opened.bodies()).toHaveLength(35);
  });

  test("runs by itself", async () => {
    const opened = await threeSegments();
    const retention = startRetention({ audit: opened.audit, olderThanMs: 0, log: () => {}, intervalMs: 20 });
    await expect.poll(() => opened.bodies()[0]?.seq).toBe(31);
    retention.stop();
  });
});

describe("the signed end", () => {
  test("follows an idle chain within about a second", async () => {
    const opened = await temporaryAudit();
    opened.audit.open(anOpening(), () => {});
    opened.audit.flush();
    write(opened, 2);
    execute(opened, "SELECT 1");
    opened.now += 10;
    const { db } = connectionOf(opened.store);
    const signed = () =>
      db.prepare("SELECT value ->> '$.seq' FROM meta WHERE key = 'audit_head'").pluck().get();
    await expect.poll(signed, { timeout: 5000 }).toBe(3);
  });
});
