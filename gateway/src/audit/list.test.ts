import { auditQuery } from "@onecli/sdk/contract";
import { describe, expect, test } from "vitest";
import { limits } from "../limits.ts";
import { connectionOf } from "../store/open.ts";
import type { AuditPage } from "./list.ts";
import {
  aClosing,
  anOpening,
  aRefusal,
  controlEvent,
  temporaryAudit,
  type TemporaryAudit,
} from "./testing.ts";

function list(opened: TemporaryAudit, query: object): AuditPage {
  return opened.audit.list(auditQuery.parse(query));
}

function seqs(page: AuditPage): number[] {
  return page.records.map((record) => record.seq);
}

async function someRecords(): Promise<TemporaryAudit> {
  const opened = await temporaryAudit();
  const { audit } = opened;
  audit.open(anOpening(), () => {});
  audit.open(anOpening({ agentId: "agent-2", agent: "other", authority: "api.example.com:8443" }), () => {});
  audit.refuse(aRefusal({ authority: "evil.test:443" }));
  audit.close(aClosing({ outcome: "client_aborted" }));
  audit.flush();
  audit.control(controlEvent("rule.created"));
  return opened;
}

describe("a listing", () => {
  test("gives the newest first, page by page", async () => {
    const opened = await someRecords();
    const first = list(opened, { limit: 2 });
    expect([seqs(first), first.nextBefore]).toEqual([[5, 4], 4]);
    const second = list(opened, { limit: 2, before: first.nextBefore });
    expect([seqs(second), second.nextBefore]).toEqual([[3, 2], 2]);
    const third = list(opened, { limit: 2, before: second.nextBefore });
    expect([seqs(third), third.nextBefore]).toEqual([[1], null]);
  });

  test("gives the oldest first after a row", async () => {
    const opened = await someRecords();
    const page = list(opened, { limit: 2, after: 1 });
    expect([seqs(page), page.nextBefore, page.nextAfter]).toEqual([[2, 3], null, 3]);
    expect([seqs(list(opened, { after: 5 })), list(opened, { after: 5 }).nextAfter]).toEqual([[], 5]);
  });

  test("of an empty audit is empty", async () => {
    expect(list(await temporaryAudit(), {})).toEqual({ records: [], nextBefore: null, nextAfter: null });
  });

  test.each([
    [{ agent: "agent-one" }, [3, 1]],
    [{ agent: "agent-2" }, [2]],
    [{ agent: "nobody" }, []],
    [{ host: "api.example.com" }, [2, 1]],
    [{ host: "api.example.com:8443" }, [2]],
    [{ host: "example.com" }, []],
    [{ host: "api.example.co%" }, []],
    [{ type: "control" }, [5]],
    [{ verdict: "permit" }, [2, 1]],
    [{ verdict: "deny" }, [3]],
    [{ verdict: "blocked_by_policy" }, [3]],
    [{ verdict: "client_aborted" }, [4]],
    [{ type: "open", agent: "other", host: "api.example.com" }, [2]],
  ])("of %j gives rows %j", async (query, expected) => {
    const page = list(await someRecords(), query);
    expect([seqs(page), page.nextBefore]).toEqual([expected, null]);
  });

  test("looks at a bounded number of rows and says where to go on", async () => {
    const opened = await temporaryAudit();
    opened.audit.open(anOpening(), () => {});
    for (let n = 0; n < limits.auditScanRowsMax + 5; n++) opened.audit.refuse(aRefusal());
    opened.audit.flush();
    const first = list(opened, { type: "open" });
    expect([seqs(first), first.nextBefore]).toEqual([[], 7]);
    const second = list(opened, { type: "open", before: first.nextBefore });
    expect([seqs(second), second.nextBefore]).toEqual([[1], null]);
    expect(list(opened, { type: "control", after: 0 })).toMatchObject({
      records: [],
      nextAfter: limits.auditScanRowsMax,
    });
  });

  test("shows an unreadable row as such, with a filter and without", async () => {
    const opened = await someRecords();
    connectionOf(opened.store).db.exec("UPDATE audit_records SET body = '{' WHERE seq = 2");
    expect(list(opened, {}).records[3]).toMatchObject({ seq: 2, type: "unreadable" });
    expect(seqs(list(opened, { type: "open" }))).toEqual([1]);
  });
});
