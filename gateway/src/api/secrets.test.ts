import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { startGateway, type TestGateway } from "./test-gateway.ts";

const VALUE = "sk-secret-value-0123456789-wxyz";
const generic = {
  name: "Generic",
  type: "generic",
  value: VALUE,
  hostPattern: "api.example.com",
  injectionConfig: { headerName: "x-key", valueFormat: "Key {value}" },
};
const anthropic = {
  name: "Claude",
  type: "anthropic",
  value: "sk-ant-api03-0123456789",
  hostPattern: "api.anthropic.com",
};

const create = (gateway: TestGateway, body: unknown) => gateway.call("POST /v1/secrets", { body });

async function onlySecret(gateway: TestGateway) {
  const list = (await gateway.call("GET /v1/secrets")).body;
  expect(list).toHaveLength(1);
  return list[0];
}

describe("a stored secret", () => {
  test("is answered with a preview and never again", async () => {
    await using gateway = await startGateway();
    const created = await create(gateway, generic);
    expect(created.status).toBe(201);
    expect(created.body.preview).toBe("sk-s••••••••wxyz");
    const listed = await onlySecret(gateway);
    expect(listed).toMatchObject({
      valueSource: "inline",
      opRef: null,
      scope: "project",
      typeLabel: "Generic Secret",
    });
    expect(listed.injectionConfig).toEqual(generic.injectionConfig);
    expect(JSON.stringify([created.body, listed, gateway.events])).not.toContain(VALUE);
  });

  test("is nowhere in the files of the data directory", async () => {
    await using gateway = await startGateway();
    await create(gateway, generic);
    for (const file of readdirSync(gateway.dataDir)) {
      expect(readFileSync(path.join(gateway.dataDir, file)).includes(VALUE)).toBe(false);
    }
  });

  test.each([
    ["anthropic", "sk-ant-api03-0123456789", "Anthropic API Key", { authMode: "api-key" }],
    ["anthropic", "sk-ant-oat01-0123456789", "Anthropic OAuth Token", { authMode: "oauth" }],
    ["openai", "sk-proj-0123456789", "OpenAI API Key", null],
  ])("of the type %s with %s is an %s", async (type, value, typeLabel, metadata) => {
    await using gateway = await startGateway();
    await create(gateway, { name: "K", type, value, hostPattern: "api.anthropic.com" });
    expect(await onlySecret(gateway)).toMatchObject({ typeLabel, metadata, injectionConfig: null });
  });

  test("of the type openai goes to api.openai.com whatever was sent", async () => {
    await using gateway = await startGateway();
    const { id } = (
      await create(gateway, { name: "O", type: "openai", value: VALUE, hostPattern: "evil.example.com" })
    ).body;
    await gateway.call(`PATCH /v1/secrets/${id}`, { body: { hostPattern: "evil.example.com" } });
    expect((await onlySecret(gateway)).hostPattern).toBe("api.openai.com");
  });

  test("becomes an OAuth token when its value does", async () => {
    await using gateway = await startGateway();
    const { id } = (await create(gateway, anthropic)).body;
    await gateway.call(`PATCH /v1/secrets/${id}`, { body: { value: "sk-ant-oat01-0123456789" } });
    const secret = await onlySecret(gateway);
    expect([secret.metadata.authMode, secret.rotatedAt]).toEqual(["oauth", "2026-01-15T00:00:00.000Z"]);
  });

  test("keeps what an update does not name, and loses what it sets to null", async () => {
    await using gateway = await startGateway();
    const { id } = (await create(gateway, { ...generic, pathPattern: "/v1/*", envName: "MY_KEY" })).body;
    await gateway.call(`PATCH /api/secrets/${id}`, { body: { pathPattern: null } });
    expect(await onlySecret(gateway)).toMatchObject({
      pathPattern: null,
      envName: "MY_KEY",
      name: "Generic",
    });
  });

  test.each([
    ["15 characters", "a".repeat(15), "••••••••"],
    ["16 characters", "abcd00000000wxyz", "abcd••••••••wxyz"],
  ])("of %s has the preview it may have", async (_, value, preview) => {
    await using gateway = await startGateway();
    expect((await create(gateway, { ...generic, value })).body.preview).toBe(preview);
  });

  test("that is too short to be scrubbed comes with a warning", async () => {
    await using gateway = await startGateway();
    expect((await create(gateway, { ...generic, value: "1234567" })).body.warnings).toHaveLength(1);
    const long = { ...generic, value: "12345678", hostPattern: "two.example.com" };
    expect((await create(gateway, long)).body.warnings).toBeUndefined();
  });
});

describe("a secret with several injections", () => {
  test("is listed as it was sent", async () => {
    await using gateway = await startGateway();
    const injectionConfig = [{ paramName: "key", paramFormat: "{value}" }, { basic: { username: "u" } }];
    await create(gateway, { ...generic, injectionConfig });
    expect((await onlySecret(gateway)).injectionConfig).toEqual(injectionConfig);
  });
});

describe("a placement", () => {
  test.each([
    { headerName: "X-Api-Key" },
    { headerName: "authorization", valueFormat: "Bearer {value}" },
    { paramName: "key" },
    { pathTemplate: "/bot{value}" },
    { pathRegex: "^/hook/[^/]+", pathReplacement: "/hook/{value}" },
    { basic: { username: "" } },
    { placeholder: ["header", "body"] },
  ])("is accepted: %j", async (injectionConfig) => {
    await using gateway = await startGateway();
    const answer = await create(gateway, { ...generic, injectionConfig });
    expect([answer.status, answer.text]).toEqual([201, answer.text]);
  });

  test.each([
    ["injectionConfig", undefined],
    ["injectionConfig", null],
    ["injectionConfig", {}],
    ["injectionConfig", []],
    ["injectionConfig", { headerName: "x", paramName: "y" }],
    ["injectionConfig.headerName", { headerName: "a b" }],
    ["injectionConfig.headerName", { headerName: "" }],
    ["injectionConfig.headerName", { headerName: "Host" }],
    ["injectionConfig.headerName", { headerName: "content-length" }],
    ["injectionConfig.headerName", { headerName: "Transfer-Encoding" }],
    ["injectionConfig.headerName", { headerName: "connection" }],
    ["injectionConfig.headerName", { headerName: "TE" }],
    ["injectionConfig.headerName", { headerName: "trailer" }],
    ["injectionConfig.headerName", { headerName: "upgrade" }],
    ["injectionConfig.headerName", { headerName: "keep-alive" }],
    ["injectionConfig.headerName", { headerName: "Proxy-Authorization" }],
    ["injectionConfig.headerName", { headerName: "expect" }],
    ["injectionConfig.headerName", { headerName: "via" }],
    ["injectionConfig.valueFormat", { headerName: "x", valueFormat: "no value" }],
    ["injectionConfig.valueFormat", { headerName: "x", valueFormat: "{value}\r\nx: y" }],
    ["injectionConfig.valueFormat", { headerName: "x", valueFormat: "→{value}" }],
    ["injectionConfig.pathTemplate", { pathTemplate: "/bot" }],
    ["injectionConfig.pathTemplate", { pathTemplate: "bot{value}" }],
    ["injectionConfig.pathRegex", { pathRegex: "(a", pathReplacement: "{value}" }],
    ["injectionConfig.pathRegex", { pathRegex: "(a)\\1", pathReplacement: "{value}" }],
    ["injectionConfig.pathRegex", { pathRegex: "(?=a)", pathReplacement: "{value}" }],
    ["injectionConfig.basic.username", { basic: { username: "a:b" } }],
    ["injectionConfig.1.headerName", [{ paramName: "key" }, { headerName: "host" }]],
  ])("is refused, naming %s: %j", async (field, injectionConfig) => {
    await using gateway = await startGateway();
    const answer = await create(gateway, { ...generic, injectionConfig });
    expect([answer.status, answer.body.field]).toEqual([400, field]);
    expect(gateway.store.secrets.list()).toEqual([]);
  });

  test("of a type that has its own is refused", async () => {
    await using gateway = await startGateway();
    const answer = await create(gateway, { ...anthropic, injectionConfig: { headerName: "x" } });
    expect([answer.status, answer.body.field]).toEqual([400, "injectionConfig"]);
  });
});

describe("a secret's members", () => {
  test.each([
    ["name", { name: "" }],
    ["type", { type: "other" }],
    ["value", { value: "" }],
    ["value", { value: "   " }],
    ["value", { value: "a".repeat(10_001) }],
    ["value", { value: undefined }],
    ["hostPattern", { hostPattern: undefined }],
    ["hostPattern", { hostPattern: "" }],
    ["hostPattern", { hostPattern: "https://api.example.com" }],
    ["hostPattern", { hostPattern: "*" }],
    ["hostPattern", { hostPattern: "*.com" }],
    ["hostPattern", { hostPattern: "api.example.com:0" }],
    ["pathPattern", { pathPattern: "" }],
    ["methods", { methods: [] }],
    ["methods.0", { methods: ["TRACE"] }],
    ["envName", { envName: "1X" }],
    ["envName", { envName: "https_proxy" }],
    ["envName", { envName: "LD_PRELOAD" }],
    ["envName", { envName: "NODE_OPTIONS" }],
    ["envName", { envName: "SSL_CERT_FILE" }],
    ["rotation", { rotation: { command: ["x"], webhook: "https://a.example.com/" } }],
    ["rotation.rotateEvery", { rotation: { rotateEvery: "30d" } }],
    ["rotation.rotateEvery", { rotation: { rotateEvery: "soon", command: ["x"] } }],
    ["rotation.webhook", { rotation: { webhook: "http://a.example.com/" } }],
  ])("are refused, naming %s: %j", async (field, members) => {
    await using gateway = await startGateway();
    const answer = await create(gateway, { ...generic, ...members });
    expect([answer.status, answer.body.field]).toEqual([400, field]);
    expect(gateway.store.secrets.list()).toEqual([]);
  });
});

describe("a value", () => {
  const header = { headerName: "x-key" };
  test.each([
    ["a line break, in a header", { value: "a\r\nb" }, header],
    ["NUL, in a header", { value: "a\0b" }, header],
    ["characters beyond Latin-1, in a header", { value: "schlüssel-→" }, header],
    ["a line break, swapped in a header", { value: "a\nb" }, { placeholder: ["body", "header"] }],
    ["a line break, in Basic credentials", { value: "a\nb" }, { basic: { username: "u" } }],
    ["a lone surrogate, in a query", { value: "a\ud800b" }, { paramName: "k" }],
  ])("with %s is refused", async (_, members, injectionConfig) => {
    await using gateway = await startGateway();
    const answer = await create(gateway, { ...generic, ...members, injectionConfig });
    expect([answer.status, answer.body.field]).toEqual([400, "value"]);
    expect(answer.text).not.toContain(members.value);
  });

  test.each([
    ["Latin-1 characters, in a header", "schlüssel", header],
    ["several lines, in a body", "-----BEGIN\nKEY-----", { placeholder: ["body"] }],
    ["any characters, in a query", "schlüssel-→", { paramName: "k" }],
  ])("with %s is accepted", async (_, value, injectionConfig) => {
    await using gateway = await startGateway();
    expect((await create(gateway, { ...generic, value, injectionConfig })).status).toBe(201);
  });

  test("is wanted again when a secret moves into a header", async () => {
    await using gateway = await startGateway();
    const { id } = (
      await create(gateway, { ...generic, value: "a\nb", injectionConfig: { placeholder: ["body"] } })
    ).body;
    const move = (members: object) =>
      gateway.call(`PATCH /v1/secrets/${id}`, { body: { injectionConfig: header, ...members } });
    expect((await move({})).body.field).toBe("value");
    expect((await move({ value: "a\nb" })).body.field).toBe("value");
    expect((await move({ value: "ab" })).status).toBe(200);
  });
});

describe("two secrets for one slot", () => {
  test("are refused, naming the one that is there", async () => {
    await using gateway = await startGateway();
    await create(gateway, generic);
    const answer = await create(gateway, { ...generic, name: "Other", hostPattern: "API.example.com:443" });
    expect([answer.status, answer.body.error]).toEqual([409, expect.stringContaining('"Generic"')]);
  });

  test("are refused when an update would make them so", async () => {
    await using gateway = await startGateway();
    await create(gateway, generic);
    const { id } = (await create(gateway, { ...generic, name: "Other", hostPattern: "two.example.com" }))
      .body;
    const { status } = await gateway.call(`PATCH /v1/secrets/${id}`, {
      body: { hostPattern: "api.example.com" },
    });
    expect(status).toBe(409);
  });

  test("are accepted with fake keys of their own", async () => {
    await using gateway = await startGateway();
    for (const name of ["One", "Two"]) {
      const body = { ...generic, name, injectionConfig: { placeholder: ["header"] } };
      expect((await create(gateway, body)).status).toBe(201);
    }
  });
});

describe("a rotation", () => {
  test("answers when it was, and 404 for a secret that is not there", async () => {
    await using gateway = await startGateway();
    const { id } = (await create(gateway, generic)).body;
    const answer = await gateway.call(`POST /v1/secrets/${id}/rotate`);
    expect(answer.body).toEqual({ success: true, rotatedAt: "2026-01-15T00:00:00.000Z" });
    expect((await gateway.call("POST /v1/secrets/unknown/rotate")).status).toBe(404);
  });
});
