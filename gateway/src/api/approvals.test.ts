import { describe, expect, test } from "vitest";
import { limits } from "../limits.ts";
import { requestOf, startGateway } from "./test-gateway.ts";

describe("a poll for approvals", () => {
  test("is held, then answered that there is nothing", async () => {
    await using gateway = await startGateway({ pendingHoldMs: 100, approvalTimeoutSeconds: 42 });
    const start = performance.now();
    const { body } = await gateway.call("GET /api/approvals/pending?exclude=a,b");
    expect(body).toEqual({ requests: [], timeoutSeconds: 42 });
    expect(performance.now() - start).toBeGreaterThan(90);
  });

  test("is answered at once when the gateway stops", async () => {
    await using gateway = await startGateway({ pendingHoldMs: 600_000 });
    const held = gateway.call("GET /v1/approvals/pending");
    setTimeout(() => gateway.api.close(), 20);
    expect((await held).status).toBe(200);
  });

  test("takes a place until its client is gone, and there are only so many", async () => {
    await using gateway = await startGateway({ pendingHoldMs: 600_000 });
    const clients = Array.from({ length: limits.apiPendingHoldsMax }, () => new AbortController());
    const poll = (signal?: AbortSignal) => {
      const request = requestOf("GET /v1/approvals/pending", { key: gateway.keys.runner });
      const held = signal === undefined ? request : new Request(request, { signal });
      return gateway.api.fetch(held, { source: "a" });
    };
    const polls = clients.map(({ signal }) => poll(signal));
    await gateway.call("GET /v1/health");
    const refused = await poll();
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "5"]);
    for (const client of clients) client.abort();
    await Promise.all(polls);
    const next = poll();
    gateway.api.close();
    expect((await next).status).toBe(200);
  });
});

describe("a decision", () => {
  test.each([
    ["approve", 404, "approval_not_found"],
    ["deny", 404, "approval_not_found"],
    ["maybe", 422, "invalid_decision"],
    [undefined, 422, "invalid_decision"],
  ])("%s on a call that is not held is answered %i %s", async (decision, status, code) => {
    await using gateway = await startGateway();
    const answer = await gateway.call("POST /v1/approvals/x/decision", { body: { decision } });
    expect([answer.status, answer.body.code]).toEqual([status, code]);
  });
});
