import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { makeAgentToken } from "../agents/token.ts";
import { limits } from "../limits.ts";
import { createApi } from "./app.ts";
import { requestOf, startGateway } from "./test-gateway.ts";

describe("the Host field", () => {
  test.each([
    "localhost",
    "LOCALHOST:1",
    "localhost.:10254",
    "127.0.0.1",
    "127.0.0.1:10254",
    "[::1]",
    "[::1]:10254",
  ])("is one of ours: %s", async (host) => {
    await using gateway = await startGateway();
    expect((await gateway.call("GET /v1/user", { fields: { host } })).status).toBe(200);
  });

  const others = "evil.test localhost.evil.test evil.test:10254 127.0.0.2 [::2]:10254 user@localhost ::1";
  const malformed = "localhost: localhost:x localhost:123456 localhost/ localhost.. localhost,evil.test";
  test.each(["", "localhost, evil.test", ...others.split(" "), ...malformed.split(" ")])(
    "is not one of ours: %j",
    async (host) => {
      await using gateway = await startGateway();
      for (const key of [null, gateway.keys.admin]) {
        for (const line of ["GET /v1/user", "GET /v1/health", "POST /v1/nowhere", "OPTIONS /v1/user"]) {
          const answer = await gateway.call(line, { key, fields: { host } });
          expect([line, answer.status, answer.body.code]).toEqual([line, 421, "misdirected"]);
        }
      }
    },
  );

  test("is one that the configuration adds", async () => {
    await using gateway = await startGateway({ allowedHosts: ["Gateway.example.com"] });
    const status = async (host: string) => (await gateway.call("GET /v1/user", { fields: { host } })).status;
    expect([await status("gateway.example.com:8080"), await status("localhost")]).toEqual([200, 421]);
  });
});

describe("a page in a browser", () => {
  test.each([
    ["http://localhost:10254", 200],
    ["https://localhost:10254", 200],
    ["http://localhost:3000", 403],
    ["http://evil.test", 403],
    ["null", 403],
    ["http://localhost:10254.evil.test", 403],
    ["http://127.0.0.1:10254", 403],
  ])("of the origin %s is answered %i", async (origin, status) => {
    await using gateway = await startGateway();
    expect((await gateway.call("GET /v1/user", { fields: { origin } })).status).toBe(status);
  });

  test("of another site never gets a CORS field, nor does a preflight succeed", async () => {
    await using gateway = await startGateway();
    const fields = { origin: "http://evil.test", "access-control-request-method": "POST" };
    for (const line of ["OPTIONS /v1/agents", "GET /v1/agents", "GET /v1/health", "OPTIONS /v1/nowhere"]) {
      for (const sent of [fields, {}]) {
        const { headers } = await gateway.call(line, { fields: sent });
        expect([...headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
      }
    }
    const preflight = await gateway.call("OPTIONS /v1/agents", { key: null });
    const nowhere = await gateway.call("OPTIONS /v1/nowhere", { key: null });
    expect([preflight.status, nowhere.status, nowhere.text]).toEqual([405, 405, preflight.text]);
  });
});

describe("every answer", () => {
  test.each([
    ["a success", "GET /v1/user", {}],
    ["no content", "DELETE /v1/agents/x", {}],
    ["a refusal", "GET /v1/user", { key: null }],
    ["a wrong host", "GET /v1/user", { fields: { host: "evil.test" } }],
    ["an unknown route", "GET /nowhere", {}],
    ["a text", "GET /v1/gateway/ca", {}],
  ])("carries the security fields: %s", async (_, line, options) => {
    await using gateway = await startGateway();
    const { headers } = await gateway.call(line, options);
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("content-security-policy")).toContain("default-src 'none'");
  });
});

describe("a caller without a valid key", () => {
  test.each([
    "GET /v1/agents",
    "GET /v1/nowhere",
    "POST /v1/team/provisions",
    "PUT /v1/agents",
    "GET /v1/openapi.json",
  ])("learns nothing about routes: %s", async (line) => {
    await using gateway = await startGateway();
    const answer = await gateway.call(line, { key: null });
    expect([answer.status, answer.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
    expect(answer.body).toEqual({
      error: "this call needs an API key",
      code: "unauthorized",
      hint: expect.stringContaining("Bearer oc_"),
    });
  });

  test.each(["bearer", "BEARER", "Bearer  "])("is known by its scheme in any case: %j", async (scheme) => {
    await using gateway = await startGateway();
    const fields = { authorization: `${scheme} ${gateway.keys.read}` };
    expect((await gateway.call("GET /v1/user", { key: null, fields })).status).toBe(200);
  });

  test.each(["Basic", "Token", "Bearer Bearer", "Bearer,", ""])(
    "is unknown with another scheme: %j",
    async (scheme) => {
      await using gateway = await startGateway();
      const fields = { authorization: `${scheme} ${gateway.keys.read}` };
      expect((await gateway.call("GET /v1/user", { key: null, fields })).status).toBe(401);
    },
  );

  test("is held back longer with every failure, a valid key from there never", async () => {
    await using gateway = await startGateway();
    const timed = async (key: string) => {
      const start = performance.now();
      const { status } = await gateway.call("GET /v1/user", { key, source: "10.0.0.1" });
      return { status, ms: performance.now() - start };
    };
    const first = await timed(makeAgentToken());
    const second = await timed(makeAgentToken());
    const valid = await timed(gateway.keys.read);
    expect([first.status, second.status, valid.status]).toEqual([401, 401, 200]);
    expect(first.ms).toBeGreaterThan(limits.apiAuthFailureDelayMs - 10);
    expect(second.ms).toBeGreaterThan(limits.apiAuthFailureDelayMs * 2 - 10);
    expect(valid.ms).toBeLessThan(limits.apiAuthFailureDelayMs);
  });

  test("is answered 429 when too many are held back, and a stop releases those", async () => {
    await using gateway = await startGateway();
    const attempt = (source: string) => gateway.call("GET /v1/user", { key: "oc_guess", source });
    const attempts = Array.from({ length: limits.apiAuthDelaysMax + 20 }, (_, i) =>
      attempt(`10.0.0.${i % 2}`),
    );
    await sleep(20);
    expect((await gateway.call("GET /v1/user", { source: "10.0.0.1" })).status).toBe(200);
    gateway.api.close();
    const answers = await Promise.all(attempts);
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]?.headers.get("retry-after")).toMatch(/^[1-5]$/);
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(answers.length - refused.length);
  });

  test("whose key was revoked is refused at once", async () => {
    await using gateway = await startGateway();
    const { id, apiKey } = (await gateway.call("POST /v1/api-keys", { body: { name: "CI", role: "read" } }))
      .body;
    expect((await gateway.call("GET /v1/user", { key: apiKey })).status).toBe(200);
    await gateway.call(`DELETE /v1/api-keys/${id}`);
    expect((await gateway.call("GET /v1/user", { key: apiKey })).status).toBe(401);
  });
});

describe("keys", () => {
  test("are replaced by their owner: the old one ends, the id stays", async () => {
    await using gateway = await startGateway();
    const before = (await gateway.call("GET /v1/user")).body;
    const { apiKey } = (await gateway.call("POST /api/user/api-key/regenerate")).body;
    expect(apiKey).toMatch(/^oc_[0-9a-f]{64}$/);
    expect((await gateway.call("GET /v1/user")).status).toBe(401);
    expect((await gateway.call("GET /v1/user", { key: apiKey })).body).toEqual(before);
    const masked = (await gateway.call("GET /v1/user/api-key", { key: apiKey })).body.apiKey;
    expect(masked).toBe(`${apiKey.slice(0, 7)}••••${apiKey.slice(-4)}`);
  });

  test("of administrators never run out", async () => {
    await using gateway = await startGateway();
    const [own] = gateway.store.apiKeys.list().filter(({ role }) => role === "admin");
    expect((await gateway.call(`DELETE /v1/api-keys/${own?.id}`)).status).toBe(409);
    await gateway.call("POST /v1/api-keys", { body: { name: "Second", role: "admin" } });
    expect((await gateway.call(`DELETE /v1/api-keys/${own?.id}`)).status).toBe(204);
  });

  test("are never in a file of the data directory or an event", async () => {
    await using gateway = await startGateway();
    const { apiKey } = (await gateway.call("POST /v1/api-keys", { body: { name: "CI", role: "admin" } }))
      .body;
    expect(JSON.stringify([gateway.events, gateway.store.apiKeys.list()])).not.toContain(apiKey);
  });
});

describe("a body", () => {
  const json = { "content-type": "application/json" };
  test.each([
    ["cut off", '{"name":"sk-leak', json, "the body is not valid JSON"],
    [
      "not JSON by its type",
      '{"name":"a"}',
      { "content-type": "text/plain" },
      "the body must be application/json",
    ],
    [
      "a form",
      "name=a",
      { "content-type": "application/x-www-form-urlencoded" },
      "the body must be application/json",
    ],
    ["compressed", "x", { ...json, "content-encoding": "gzip" }, "the body must not be compressed"],
    ["an array", "[]", json, "Invalid input: expected object, received array"],
    ["null", "null", json, "Invalid input: expected object, received null"],
    ["empty", "", json, "name: is required"],
  ])("that is %s is refused without quoting it", async (_, body, fields, error) => {
    await using gateway = await startGateway();
    const answer = await gateway.call("POST /v1/agents", { body, fields });
    expect([answer.status, answer.body.error]).toEqual([400, error]);
    expect(answer.text).not.toContain("sk-leak");
  });

  test("that is not UTF-8 is refused", async () => {
    await using gateway = await startGateway();
    const headers = { ...json, host: "localhost", authorization: `Bearer ${gateway.keys.admin}` };
    const body = Buffer.from([0x22, 0xff, 0x22]);
    const request = new Request("http://localhost/v1/agents", { method: "POST", headers, body });
    expect((await gateway.api.fetch(request, { source: "a" })).status).toBe(400);
  });

  test.each([
    ["announced", { "content-length": String(limits.apiBodyBytesMax + 1) }, "{}"],
    ["sent", {}, `{"name":"${"a".repeat(limits.apiBodyBytesMax)}"}`],
  ])("that is larger than allowed is refused: %s", async (_, fields, body) => {
    await using gateway = await startGateway();
    const answer = await gateway.call("POST /v1/agents", { body, fields });
    expect([answer.status, answer.body.code]).toEqual([413, "body_too_large"]);
  });

  test.each(["application/json; charset=utf-8", "application/merge-patch+json", "APPLICATION/JSON"])(
    "is read as %s",
    async (type) => {
      await using gateway = await startGateway();
      const body = { name: "A", identifier: "a", isDefault: true, id: "chosen", createdBy: "me", unknown: 1 };
      const answer = await gateway.call("POST /v1/agents", { body, fields: { "content-type": type } });
      expect(answer.status).toBe(201);
      const [agent] = gateway.store.agents.list();
      expect([agent?.isDefault, agent?.id === "chosen", agent?.createdBy === "me"]).toEqual([
        false,
        false,
        false,
      ]);
    },
  );

  test.each([
    ["limit", "?limit=0"],
    ["limit", "?limit=abc"],
    ["before", "?before=-1"],
    ["agent", `?agent=${"a".repeat(65)}`],
  ])("is not all that is checked: a query with a bad %s is refused", async (field, query) => {
    await using gateway = await startGateway();
    const answer = await gateway.call(`GET /v1/audit${query}`);
    expect([answer.status, answer.body.field]).toEqual([400, field]);
  });
});

describe("a route", () => {
  test.each([
    ["GET /v1/nowhere", 404],
    ["GET /", 404],
    ["GET /v2/agents", 404],
    ["GET /v1/agents/", 404],
    ["POST /v1/team/provisions", 404],
    ["POST /api/team/provisions", 404],
    ["GET /api/audit", 404],
    ["PUT /v1/agents", 405],
    ["GET /api/agents/x", 405],
    ["POST /v1/openapi.json", 405],
    ["DELETE /v1/health", 405],
  ])("that is not there is answered: %s %i", async (line, status) => {
    await using gateway = await startGateway();
    const answer = await gateway.call(line);
    expect([answer.status, Object.keys(answer.body)]).toEqual([status, ["error", "code"]]);
  });

  test("is answered to HEAD without a body", async () => {
    await using gateway = await startGateway();
    const answer = await gateway.call("HEAD /v1/agents");
    expect([answer.status, answer.text]).toEqual([200, ""]);
  });

  test("ignores a project", async () => {
    await using gateway = await startGateway();
    expect((await gateway.call("GET /v1/agents", { fields: { "x-project-id": "p" } })).status).toBe(200);
  });
});

describe("the metrics", () => {
  test("are given to every role, and to nobody without a key", async () => {
    await using gateway = await startGateway();
    expect((await gateway.call("GET /metrics", { key: gateway.keys.read })).text).toBe("up 1\n");
    expect((await gateway.call("GET /metrics", { key: null })).status).toBe(401);
  });
});

describe("a crash in a handler", () => {
  test("is answered without details and logged without values", async () => {
    await using gateway = await startGateway();
    const logged: string[] = [];
    const api = createApi({
      ...gateway.parts,
      listAudit: () => {
        throw new TypeError("could not read sk-secret-value");
      },
      log: (message, detail) => void logged.push(JSON.stringify([message, detail])),
    });
    const response = await api.fetch(requestOf("GET /v1/audit", { key: gateway.keys.admin }), {
      source: "a",
    });
    expect([response.status, await response.json()]).toEqual([
      500,
      { error: "internal error", code: "internal_error" },
    ]);
    expect(logged).toHaveLength(1);
    expect(logged[0]).toContain("TypeError");
    expect(logged[0]).not.toContain("sk-secret-value");
  });
});

describe("the OpenAPI document", () => {
  test.each(["admin", "runner", "read"] as const)("describes every endpoint to the role %s", async (role) => {
    await using gateway = await startGateway();
    const { status, body } = await gateway.call("GET /v1/openapi.json", { key: gateway.keys[role] });
    expect([status, body.openapi, body.info.version]).toEqual([200, "3.1.0", "1.2.3"]);
    expect(body.paths["/agents/{id}/tokens/{tokenId}"].delete.parameters).toHaveLength(2);
    expect(
      body.paths["/secrets"].post.requestBody.content["application/json"].schema.properties.value,
    ).toBeDefined();
    expect(body.paths["/health"].get.security).toEqual([]);
  });
});
