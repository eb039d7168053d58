// What the rules say holds for the call that leaves, too: for a path with a credential in it, and for the method that a
// field names.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseAnswer, tunnelExchange } from "./support/client.ts";
import { demoSecret, HOST, startWorld, VALUE, type World } from "./support/world.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld();
  await demoSecret(world.gateway, { injectionConfig: { pathTemplate: "/bot{value}" } });
  const rule = (name: string, more: object) => world.gateway.rule({ name, hostPattern: HOST, ...more });
  await rule("No hooks", { pathPattern: "/bot*/deleteWebhook", action: "block" });
  await rule("Two a day", {
    pathPattern: "/bot*/sendMessage",
    action: "rate_limit",
    rateLimit: 2,
    rateLimitWindow: "day",
  });
  await rule("No deletes", { method: "DELETE", action: "block" });
});
afterAll(() => world?.stop());

async function call(method: string, path: string, ...fields: string[]) {
  const lines = [`${method} ${path} HTTP/1.1`, `Host: ${HOST}`, "Content-Length: 0", ...fields];
  return parseAnswer(await tunnelExchange(world.via, `${HOST}:443`, `${lines.join("\r\n")}\r\n\r\n`));
}

describe("a credential in the path", () => {
  test.each(["/bot123/deleteWebhook", "/deleteWebhook", "/deleteWebhook/"])(
    "%s is blocked by the rule for the path that leaves, and the refusal does not show the value",
    async (path) => {
      const before = world.origin.requests.length;
      const { status, body } = await call("GET", path);
      expect(status).toBe(403);
      expect(body).toContain("No hooks");
      expect(body).not.toContain(VALUE);
      expect(world.origin.requests).toHaveLength(before);
    },
  );

  test("calls count against the limit on the path that leaves, whichever way they are written", async () => {
    expect((await call("GET", "/bot123/sendMessage")).status).toBe(200);
    expect((await call("GET", "/sendMessage")).status).toBe(200);
    expect(world.origin.requests.at(-1)?.url).toBe(`/bot${VALUE}/sendMessage`);
    expect((await call("GET", "/sendMessage")).status).toBe(429);
    expect((await call("GET", "/bot123/sendMessage")).status).toBe(429);
  });

  test("what no rule is about passes", async () => {
    expect((await call("GET", "/getMe")).status).toBe(200);
  });
});

describe("a field that names another method", () => {
  test.each([
    "X-HTTP-Method-Override: DELETE",
    "x-http-method: delete",
    "X-Method-Override: DELETE",
    "X-HTTP-Method-Override: POST\r\nX-HTTP-Method-Override: DELETE",
  ])("`%s` is no way around a block of that method", async (field) => {
    const before = world.origin.requests.length;
    expect((await call("POST", "/getMe", field)).status).toBe(403);
    expect(world.origin.requests).toHaveLength(before);
  });

  test.each(["X-Original-URL: /bot123/deleteWebhook", "x-rewrite-url: /bot1/%64eleteWebhook?x=1"])(
    "`%s` is no way around a block of that path",
    async (field) => {
      expect((await call("GET", "/getMe", field)).status).toBe(403);
    },
  );

  test("is refused when there are many of them", async () => {
    const fields = Array.from({ length: 5 }, (_, index) => `X-Original-URL: /${index}`);
    expect((await call("GET", "/getMe", ...fields)).status).toBe(400);
  });

  test("passes when that method may be used", async () => {
    expect((await call("POST", "/getMe", "X-HTTP-Method-Override: PATCH")).status).toBe(200);
  });
});
