// What shares the control plane's port: pages for browsers, and targets that are never a page.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startGateway, type TestGateway } from "../test/support/gateway.ts";

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway?.stop());

async function get(target: string, key: string | null = gateway.apiKey) {
  const response = await fetch(`${gateway.url}${target}`, {
    headers: key === null ? {} : { authorization: `Bearer ${key}` },
  });
  return { status: response.status, type: response.headers.get("content-type"), text: await response.text() };
}

describe("a running gateway", () => {
  test.each(["/", "/agents", "/secrets/new?host=a.test"])(
    "answers %s with a page, without a key",
    async (target) => {
      expect(await get(target, null)).toMatchObject({ status: 200, type: "text/html; charset=utf-8" });
    },
  );

  test("gives its metrics to those who have a key, as text and not as a page", async () => {
    const answer = await get("/metrics");
    expect(answer.status).toBe(200);
    expect(answer.type).toMatch(/^text\/plain/);
    expect(answer.text).toMatch(/^process_resident_memory_bytes \d+$/m);
    expect((await get("/metrics", null)).status).toBe(401);
  });

  test.each(["/v1/no-such-route", "/api/no-such-route", "/v1"])("has no page at %s", async (target) => {
    expect(await get(target)).toMatchObject({ status: 404, type: expect.stringMatching(/json/) as string });
  });

  test.each([
    ["/healthz", 200],
    ["/readyz", 200],
  ])("answers the probe %s without a key", async (target, status) => {
    expect(await get(target, null)).toMatchObject({
      status,
      type: "application/json",
      text: '{"status":"ok"}',
    });
  });
});
