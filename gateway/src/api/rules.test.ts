import { describe, expect, test } from "vitest";
import { startGateway, type TestGateway } from "./test-gateway.ts";

const block = { name: "No", hostPattern: "a.example.com", action: "block", enabled: true };
const limit = { ...block, action: "rate_limit", rateLimit: 100, rateLimitWindow: "hour" };
const create = (gateway: TestGateway, body: unknown) => gateway.call("POST /v1/rules", { body });

describe("a rule", () => {
  test("is answered whole when it is created, read and changed", async () => {
    await using gateway = await startGateway();
    const created = await create(gateway, { ...limit, method: "GET", pathPattern: "/v1/*" });
    expect([created.status, created.body]).toEqual([
      201,
      {
        ...limit,
        method: "GET",
        pathPattern: "/v1/*",
        id: created.body.id,
        agentId: null,
        scope: "project",
        metadata: null,
        conditions: null,
        createdAt: "2026-01-15T00:00:00.000Z",
      },
    ]);
    expect((await gateway.call(`GET /v1/rules/${created.body.id}`)).body).toEqual(created.body);
    const changed = await gateway.call(`PATCH /api/rules/${created.body.id}`, { body: { enabled: false } });
    expect(changed.body).toEqual({ success: true, ...created.body, enabled: false });
  });

  test("may name several methods", async () => {
    await using gateway = await startGateway();
    expect((await create(gateway, { ...block, method: ["GET", "HEAD", "GET"] })).body.method).toEqual([
      "GET",
      "HEAD",
    ]);
  });

  test("is enabled unless it says otherwise", async () => {
    await using gateway = await startGateway();
    const { enabled: _, ...body } = block;
    expect((await create(gateway, body)).body.enabled).toBe(true);
  });

  test("loses its limit with its action", async () => {
    await using gateway = await startGateway();
    const { id } = (await create(gateway, limit)).body;
    const { body } = await gateway.call(`PATCH /v1/rules/${id}`, { body: { action: "block" } });
    expect(body).toMatchObject({ action: "block", rateLimit: null, rateLimitWindow: null });
  });

  test("keeps its window when only the count changes", async () => {
    await using gateway = await startGateway();
    const { id } = (await create(gateway, limit)).body;
    const { body } = await gateway.call(`PATCH /v1/rules/${id}`, { body: { rateLimit: 5 } });
    expect(body).toMatchObject({ rateLimit: 5, rateLimitWindow: "hour" });
  });
});

describe("a rule that can't be kept", () => {
  test.each([
    ["name", { ...block, name: "" }],
    ["hostPattern", { ...block, hostPattern: "https://a.example.com/x" }],
    ["hostPattern", { ...block, hostPattern: "a*b.example.com" }],
    ["pathPattern", { ...block, pathPattern: "" }],
    ["pathPattern", { ...block, pathPattern: "no-slash" }],
    ["action", { ...block, action: "maybe" }],
    ["action", { ...block, action: undefined }],
    ["enabled", { ...block, enabled: "yes" }],
    ["method", { ...block, method: "TRACE" }],
    ["method", { ...block, method: [] }],
    ["agentId", { ...block, agentId: "nobody" }],
    ["rateLimit", { ...limit, rateLimit: undefined }],
    ["rateLimit", { ...limit, rateLimit: 0 }],
    ["rateLimit", { ...limit, rateLimit: 1_000_001 }],
    ["rateLimitWindow", { ...limit, rateLimitWindow: undefined }],
    ["rateLimitWindow", { ...limit, rateLimitWindow: "week" }],
    ["rateLimit", { ...block, rateLimit: 5 }],
    ["rateLimitWindow", { ...block, rateLimitWindow: "day" }],
  ])("is refused, naming %s: %j", async (field, body) => {
    await using gateway = await startGateway();
    const answer = await create(gateway, body);
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining(`"field":"${field}`)]);
    expect(gateway.store.rules.list()).toEqual([]);
  });

  test.each([
    ["a human's yes", { action: "manual_approval" }],
    ["conditions", { conditions: [{ field: "body" }] }],
    ["a condition object", { conditions: { query: { a: "b" } } }],
    ["an end", { validUntil: "2030-01-01T00:00:00Z" }],
    ["a start", { validFrom: "2030-01-01T00:00:00Z" }],
    ["a schedule", { schedule: { days: ["mon"] } }],
  ])("is refused whole, not kept without %s", async (_, members) => {
    await using gateway = await startGateway();
    const { id } = (await create(gateway, block)).body;
    const created = await create(gateway, { ...block, ...members });
    const changed = await gateway.call(`PATCH /v1/rules/${id}`, { body: members });
    for (const answer of [created, changed]) {
      expect([answer.status, answer.body.code]).toEqual([422, "not_supported_yet"]);
    }
    expect(gateway.store.rules.list()).toHaveLength(1);
  });

  test.each([{ conditions: null }, { conditions: [] }])(
    "is accepted with %j, which asks for nothing",
    async (members) => {
      await using gateway = await startGateway();
      expect((await create(gateway, { ...block, ...members })).status).toBe(201);
    },
  );
});
