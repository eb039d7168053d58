// The typed client over real HTTP.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import * as fc from "fast-check";
import { afterAll, afterEach, beforeAll, describe, expect, expectTypeOf, test } from "vitest";
import type { Agent, ContainerConfig } from "../src/contract/index.ts";
import { OneCLI } from "../src/index.ts";
import { ADMIN_KEY, type StandIn, startStandIn } from "./support/stand-in.ts";

let standIn: StandIn;
let client: OneCLI;

beforeAll(async () => {
  standIn = await startStandIn();
  client = new OneCLI({ url: `${standIn.url}/`, apiKey: ADMIN_KEY });
});
afterEach(() => {
  standIn.fail = undefined;
});
afterAll(() => standIn.close());

describe("a call", () => {
  test("is typed by the contract", () => {
    expectTypeOf(client.agents.list).returns.resolves.toEqualTypeOf<Agent[]>();
    expectTypeOf(client.getContainerConfig).returns.resolves.toEqualTypeOf<ContainerConfig>();
    expectTypeOf(client.agents.delete).returns.resolves.toEqualTypeOf<undefined>();
    expectTypeOf(client.getGatewaySkill).returns.resolves.toEqualTypeOf<string>();
    // @ts-expect-error the path names an id
    void (() => client.call("deleteAgent"));
    // @ts-expect-error an agent needs an identifier
    void (() => client.call("createAgent", { body: { name: "x" } }));
  });

  test("sends the key, the body and the query it was given", async () => {
    const { id } = await client.agents.create({ name: "A", identifier: "a" });
    expect(standIn.requests.at(-1)).toMatchObject({
      method: "POST",
      path: "/v1/agents",
      headers: { authorization: `Bearer ${ADMIN_KEY}`, "content-type": "application/json" },
      body: { name: "A", identifier: "a" },
    });
    await client.audit.list({ limit: 2, host: "a&b=c" });
    expect(standIn.requests.at(-1)?.path).toBe("/v1/audit?limit=2&host=a%26b%3Dc");
    await client.agents.delete(id);
    expect(standIn.requests.at(-1)?.path).toBe(`/v1/agents/${id}`);
  });

  test("sends no authorization without a key", async () => {
    await new OneCLI({ url: standIn.url, apiKey: "" }).call("health");
    expect(standIn.requests.at(-1)?.headers).not.toHaveProperty("authorization");
  });

  test.each(["", ".", ".."])("with the id %j is not made", async (id) => {
    const before = standIn.requests.length;
    await expect(client.agents.delete(id)).rejects.toMatchObject({ name: "OneCLIError" });
    expect(standIn.requests).toHaveLength(before);
  });

  test("reaches one resource below its own path, whatever the id", async () => {
    standIn.fail = { status: 404 };
    await fc.assert(
      fc.asyncProperty(fc.string({ minLength: 1, unit: "binary" }), async (id) => {
        const before = standIn.requests.length;
        await client.rules.get(id).catch(() => undefined);
        for (const { path } of standIn.requests.slice(before)) expect(path).toMatch(/^\/v1\/rules\/[^/?#]+$/);
      }),
      { numRuns: 50 },
    );
  });
});

describe("a refusal", () => {
  test("carries status, address, code, hint and the gateway's words", async () => {
    const body = { error: "said by the gateway", code: "a_code", hint: "a hint", field: "name" };
    standIn.fail = { status: 422, body: JSON.stringify(body) };
    await expect(client.agents.list()).rejects.toMatchObject({
      name: "OneCLIRequestError",
      statusCode: 422,
      url: `${standIn.url}/v1/agents`,
      detail: "said by the gateway",
      code: "a_code",
      hint: "a hint",
      field: "name",
    });
  });

  test.each([
    [401, "onecli auth login"],
    [403, "role"],
    [500, "log"],
  ])("of status %i has a hint of its own", async (status, hint) => {
    standIn.fail = { status, body: "not JSON" };
    await expect(client.agents.list()).rejects.toMatchObject({ hint: expect.stringContaining(hint) });
  });

  test("never holds the key", async () => {
    standIn.fail = { status: 401, body: "{}" };
    const error = (await client.agents.list().catch((thrown: unknown) => thrown)) as Error;
    expect(`${error.message} ${error.stack} ${JSON.stringify(error)}`).not.toContain(ADMIN_KEY);
  });
});

describe("an answer that cannot be used", () => {
  test.each([
    ["of another form", '{"agents":[]}', "is missing or of another type"],
    ["that is not JSON", "<html>", "is not JSON"],
  ])("%s is an OneCLIError with a hint", async (_, body, sentence) => {
    standIn.fail = { status: 200, body };
    await expect(client.agents.list()).rejects.toMatchObject({
      name: "OneCLIError",
      message: expect.stringContaining(sentence),
      hint: expect.stringContaining("version"),
    });
  });

  test("that never comes ends at the timeout", async () => {
    const server = createServer(() => undefined);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await expect(new OneCLI({ url, timeout: 50 }).agents.list()).rejects.toThrow("it took too long");
    server.closeAllConnections();
    server.close();
  });

  test("that points elsewhere is not followed: the key stays here", async () => {
    const elsewhere = await startStandIn();
    const server = createServer((_, response) =>
      response.writeHead(302, { location: `${elsewhere.url}/v1/agents` }).end(),
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await expect(new OneCLI({ url, apiKey: ADMIN_KEY }).agents.list()).rejects.toMatchObject({
      statusCode: 302,
    });
    expect(elsewhere.requests).toEqual([]);
    server.closeAllConnections();
    server.close();
    await elsewhere.close();
  });
});
