import { describe, expect, test } from "vitest";
import type { Credential } from "../model.ts";
import type { Rotation as RotationConfig } from "@onecli/sdk/contract";
import { NEW, OLD, bench, dialerTo, originFor, printing } from "./testing.ts";

const HOST = "api.demo.test";

/** A secret for the host, a new value for it, and a test call to the URL. */
async function trialOf(change: Partial<Credential>, testUrl = `https://${HOST}/v1/me?a=1`, value = NEW) {
  const names = [HOST, "other.demo.test", "api.openai.com", "api.anthropic.com"];
  const origin = await originFor(names);
  const reachable = Object.fromEntries([...names, `${HOST}:8443`].map((name) => [name, origin]));
  const it = await bench({ dialer: dialerTo(reachable) });
  const rotation: RotationConfig = { command: printing(value), testUrl };
  it.add({ hostPattern: HOST, ...change, rotation });
  return { it, origin, rotate: () => it.rotation.rotate("secret-1", "key-1") };
}

function fieldsOf(rawHeaders: readonly string[] = []): Record<string, string> {
  const fields: Record<string, string> = {};
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    fields[rawHeaders[i]?.toLowerCase() ?? ""] = rawHeaders[i + 1] ?? "";
  }
  return fields;
}

describe("a new value with a test call", () => {
  test.each([200, 201, 204, 299])("is switched to when the origin answers %i", async (status) => {
    const { it, origin, rotate } = await trialOf({});
    origin.handle((_request, response) => response.writeHead(status).end());
    expect(await rotate()).toMatchObject({ ok: true });
    expect(it.value()).toBe(NEW);
    expect(it.actions()).toEqual(["rotation_started", "rotation_value_made", "rotation_tested", "rotated"]);
  });

  test.each([301, 302, 304, 307, 400, 401, 403, 404, 429, 500, 503])(
    "is dropped when the origin answers %i",
    async (status) => {
      const { it, origin, rotate } = await trialOf({});
      origin.handle((request, response) => {
        const echo = JSON.stringify(request.headers);
        response.writeHead(status, { location: "https://other.demo.test/" }).end(echo);
      });
      const result = await rotate();
      expect(result).toMatchObject({ ok: false, message: expect.stringContaining(`answered ${status}`) });
      expect(it.value()).toBe(OLD);
      expect(origin.requests).toHaveLength(1);
      expect(it.actions()).toEqual(["rotation_started", "rotation_value_made", "rotation_failed"]);
      expect(it.said.join() + JSON.stringify(result)).not.toContain("VALUE");
    },
  );

  test("is dropped when the origin does not answer", async () => {
    const { it, origin, rotate } = await trialOf({});
    origin.handle((request) => void request.socket.destroy());
    expect(await rotate()).toMatchObject({ ok: false });
    expect(it.value()).toBe(OLD);
  });
});

describe("a test call", () => {
  const basic = `Basic ${Buffer.from(`user:${NEW}`).toString("base64")}`;

  test.each([
    ["a header", [{ headerName: "X-Key", valueFormat: "k {value}" }], { "x-key": `k ${NEW}` }],
    ["Basic", [{ basic: { username: "user" } }], { authorization: basic }],
    ["a fake key in a header", [{ placeholder: ["header"] }], { authorization: `Bearer ${NEW}` }],
    ["a fake key anywhere", [{ placeholder: ["query", "header"] }], { authorization: `Bearer ${NEW}` }],
  ] satisfies [string, Credential["injections"], Record<string, string>][])(
    "carries the value in %s",
    async (_case, injections, fields) => {
      const { origin, rotate } = await trialOf({ injections });
      expect(await rotate()).toMatchObject({ ok: true });
      expect(origin.requests).toHaveLength(1);
      expect(origin.requests[0]).toMatchObject({ method: "GET", url: "/v1/me?a=1" });
      expect(fieldsOf(origin.requests[0]?.rawHeaders)).toMatchObject(fields);
    },
  );

  test.each([
    ["a parameter", [{ paramName: "key", paramFormat: "{value}" }], `/v1/me?a=1&key=${NEW}`],
    ["the path", [{ pathTemplate: "/bot{value}" }], `/bot${NEW}/v1/me?a=1`],
    ["a part of the path", [{ pathRegex: "^/v1/", pathReplacement: "/{value}/" }], `/${NEW}/me?a=1`],
  ] satisfies [string, Credential["injections"], string][])(
    "carries the value in %s",
    async (_case, injections, url) => {
      const { origin, rotate } = await trialOf({ injections });
      expect(await rotate()).toMatchObject({ ok: true });
      expect(origin.requests.map((request) => request.url)).toEqual([url]);
    },
  );

  test("for an OpenAI key carries it as bearer", async () => {
    const change: Partial<Credential> = { type: "openai", hostPattern: "api.openai.com", injections: [] };
    const { origin, rotate } = await trialOf(change, "https://api.openai.com/v1/models");
    expect(await rotate()).toMatchObject({ ok: true });
    expect(fieldsOf(origin.requests[0]?.rawHeaders)["authorization"]).toBe(`Bearer ${NEW}`);
  });

  test.each([
    ["API key", "api-key", "sk-ant-api03-abc", { "x-api-key": "sk-ant-api03-abc" }, "authorization"],
    ["OAuth token", "oauth", "sk-ant-oat01-abc", { authorization: "Bearer sk-ant-oat01-abc" }, "x-api-key"],
  ] as const)(
    "for an Anthropic %s carries it where it belongs",
    async (_case, authMode, value, fields, absent) => {
      const change: Partial<Credential> = {
        type: "anthropic",
        authMode,
        hostPattern: "api.anthropic.com",
        injections: [],
      };
      const { origin, rotate } = await trialOf(change, "https://api.anthropic.com/v1/models", value);
      expect(await rotate()).toMatchObject({ ok: true });
      const sent = fieldsOf(origin.requests[0]?.rawHeaders);
      expect(sent).toMatchObject({ ...fields, "anthropic-version": expect.any(String) });
      expect(sent).not.toHaveProperty(absent);
    },
  );

  test("that could not carry the value is refused before one is made", async () => {
    const { it, origin, rotate } = await trialOf({ injections: [{ placeholder: ["body"] }] });
    expect(await rotate()).toMatchObject({
      ok: false,
      message: expect.stringContaining("can't carry the new value"),
    });
    expect(it.actions()).toEqual(["rotation_started", "rotation_failed"]);
    expect(origin.accepted).toBe(0);
  });
});

describe("where a new value may be tested", () => {
  const me = (host: string) => `https://${host}/v1/me`;

  test.each([
    ["the secret's host", { hostPattern: HOST }, me(HOST)],
    ["its port", { hostPattern: `${HOST}:8443` }, me(`${HOST}:8443`)],
    ["a host below a wildcard", { hostPattern: "*.demo.test" }, me("other.demo.test")],
    ["its path", { pathPattern: "/v1/*" }, me(HOST)],
    ["a method that agents may not use", { methods: ["POST"] }, me(HOST)],
  ] satisfies [string, Partial<Credential>, string][])("is %s", async (_case, change, testUrl) => {
    const { it, rotate } = await trialOf(change, testUrl);
    expect(await rotate()).toMatchObject({ ok: true });
    expect(it.value()).toBe(NEW);
  });

  test.each([
    ["another host", { hostPattern: HOST }, me("other.demo.test")],
    ["another port", { hostPattern: HOST }, me(`${HOST}:8443`)],
    ["a host that only begins like it", { hostPattern: "api.demo" }, me(HOST)],
    ["the apex of a wildcard", { hostPattern: `*.${HOST}` }, me(HOST)],
    ["another path", { pathPattern: "/v2/*" }, me(HOST)],
    ["a path that steps out", { pathPattern: "/v1/*" }, `https://${HOST}/v1/%2e%2e/me`],
    ["a path that can be read as another", { pathPattern: "/v1/*" }, `https://${HOST}/v1/..%2fme`],
  ] satisfies [string, Partial<Credential>, string][])(
    "is not %s: no value is made and nobody is called",
    async (_case, change, testUrl) => {
      const { it, origin, rotate } = await trialOf(change, testUrl);
      expect(await rotate()).toMatchObject({
        ok: false,
        message: expect.stringContaining("outside the host and path"),
      });
      expect(it.value()).toBe(OLD);
      expect(it.actions()).toEqual(["rotation_started", "rotation_failed"]);
      expect(origin.accepted).toBe(0);
    },
  );
});
