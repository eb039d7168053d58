import { rootCertificates } from "node:tls";
import { describe, expect, test } from "vitest";
import { CA, startGateway, type TestGateway } from "./test-gateway.ts";

const get = async (gateway: TestGateway, query = "") => gateway.call(`GET /api/container-config${query}`);

async function storeSecret(gateway: TestGateway, members: object) {
  const body = { name: "K", value: "sk-0123456789abcdef", hostPattern: "api.anthropic.com", ...members };
  const answer = await gateway.call("POST /v1/secrets", { body });
  expect(answer.status).toBe(201);
  return answer.body.id as string;
}

describe("the configuration of a container", () => {
  test("sends its programs through the gateway, in the order of published gateways", async () => {
    await using gateway = await startGateway();
    await storeSecret(gateway, { type: "anthropic" });
    const { body } = await get(gateway);
    const proxies = "HTTPS_PROXY HTTP_PROXY https_proxy http_proxy NODE_EXTRA_CA_CERTS NODE_USE_ENV_PROXY";
    const clients = "GIT_TERMINAL_PROMPT GIT_HTTP_PROXY_AUTHMETHOD ANTHROPIC_API_KEY NO_PROXY no_proxy";
    const trust = "SSL_CERT_FILE REQUESTS_CA_BUNDLE CURL_CA_BUNDLE GIT_SSL_CAINFO DENO_CERT";
    const grpc = "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH";
    expect(Object.keys(body.env).join(" ")).toBe(`${proxies} ${clients} ${trust} ${grpc}`);
    expect(body.env.HTTPS_PROXY).toMatch(/^http:\/\/x:aoc_[0-9a-f]{64}@host\.docker\.internal:10254$/);
    expect(body.env).toMatchObject({
      http_proxy: body.env.HTTPS_PROXY,
      NODE_EXTRA_CA_CERTS: "/tmp/onecli-gateway-ca.pem",
      NODE_USE_ENV_PROXY: "1",
      GIT_TERMINAL_PROMPT: "0",
      GIT_HTTP_PROXY_AUTHMETHOD: "basic",
      ANTHROPIC_API_KEY: "placeholder",
      NO_PROXY: "localhost,127.0.0.1,::1",
      SSL_CERT_FILE: body.caCertificateContainerPath,
    });
    expect(Object.keys(body)).toEqual(["env", "caCertificate", "caCertificateContainerPath"]);
  });

  test("holds our CA and then the public roots", async () => {
    await using gateway = await startGateway();
    const { caCertificate } = (await get(gateway)).body;
    expect(caCertificate.startsWith(CA)).toBe(true);
    expect(caCertificate.match(/BEGIN CERTIFICATE/g)).toHaveLength(rootCertificates.length + 1);
  });

  test("names the host that agents dial and the names that bypass it, as configured", async () => {
    await using gateway = await startGateway({
      proxyHost: "fd00::1",
      port: 8080,
      noProxy: ["mcp", "localhost"],
    });
    const { env } = (await get(gateway)).body;
    expect(env.HTTPS_PROXY).toMatch(/@\[fd00::1\]:8080$/);
    expect(env.no_proxy).toBe("localhost,127.0.0.1,::1,mcp");
  });

  test.each([
    ["none", [], []],
    ["an API key", [{ type: "anthropic" }], ["ANTHROPIC_API_KEY"]],
    [
      "an OAuth token",
      [{ type: "anthropic", value: "sk-ant-oat01-0123456789" }],
      ["CLAUDE_CODE_OAUTH_TOKEN"],
    ],
    ["an OpenAI key", [{ type: "openai" }], ["OPENAI_API_KEY"]],
    ["both vendors", [{ type: "anthropic" }, { type: "openai" }], ["ANTHROPIC_API_KEY", "OPENAI_API_KEY"]],
  ])("pretends to hold a vendor's key only when the agent can use one: %s", async (_, secrets, names) => {
    await using gateway = await startGateway();
    for (const secret of secrets) await storeSecret(gateway, secret);
    const { env } = (await get(gateway)).body;
    const vendors = ["ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN", "OPENAI_API_KEY"];
    expect(vendors.filter((name) => env[name] === "placeholder")).toEqual(names);
  });

  test("of an agent with selected secrets knows those only", async () => {
    await using gateway = await startGateway();
    const secretId = await storeSecret(gateway, { type: "anthropic" });
    const body = { name: "S", identifier: "s", secretMode: "selective" };
    const { id } = (await gateway.call("POST /v1/agents", { body })).body;
    expect((await get(gateway, "?agent=s")).body.env.ANTHROPIC_API_KEY).toBeUndefined();
    await gateway.call(`PUT /v1/agents/${id}/secrets`, { body: { secretIds: [secretId] } });
    expect((await get(gateway, "?agent=s")).body.env.ANTHROPIC_API_KEY).toBe("placeholder");
  });

  test("gives each agent a fake key of its own, under the secret's variable", async () => {
    await using gateway = await startGateway();
    const injectionConfig = { placeholder: ["header"] };
    const members = { type: "generic", hostPattern: "api.github.com", envName: "GH_TOKEN", injectionConfig };
    await storeSecret(gateway, members);
    await gateway.call("POST /v1/agents", { body: { name: "B", identifier: "b" } });
    const [first, second] = [(await get(gateway)).body, (await get(gateway, "?agent=b")).body];
    expect(first.env.GH_TOKEN).toMatch(/^ghp_OneCLIFake/);
    expect(first.placeholders).toEqual([
      { secret: "K", env: "GH_TOKEN", hostPattern: "api.github.com", value: first.env.GH_TOKEN },
    ]);
    expect(second.env.GH_TOKEN).not.toBe(first.env.GH_TOKEN);
    expect(JSON.stringify(first)).not.toContain("sk-0123456789abcdef");
  });

  test("warns when two secrets share a variable", async () => {
    await using gateway = await startGateway();
    for (const name of ["One", "Two"]) {
      const injectionConfig = { placeholder: ["header"] };
      await storeSecret(gateway, { type: "generic", name, envName: "KEY", injectionConfig });
    }
    expect((await get(gateway)).body.warnings).toEqual([expect.stringContaining("share the variable KEY")]);
  });
});

describe("the default agent", () => {
  test("is made when it is first needed, once", async () => {
    await using gateway = await startGateway();
    expect((await gateway.call("GET /v1/agents/default")).status).toBe(404);
    const [first, second] = [(await get(gateway)).body, (await get(gateway)).body];
    expect(second.env.HTTPS_PROXY).toBe(first.env.HTTPS_PROXY);
    const { body } = await gateway.call("GET /v1/agents/default");
    expect(body).toMatchObject({ name: "Default Agent", identifier: "default", isDefault: true });
    expect(gateway.store.agents.list()).toHaveLength(1);
  });

  test("is an agent of that name where there is one", async () => {
    await using gateway = await startGateway();
    await gateway.call("POST /v1/agents", { body: { name: "Mine", identifier: "default" } });
    expect((await get(gateway)).status).toBe(200);
    expect((await gateway.call("GET /v1/agents/default")).body.name).toBe("Mine");
  });

  test("is neither made for nor given to a runner key", async () => {
    await using gateway = await startGateway();
    const asRunner = () => gateway.call("GET /v1/container-config", { key: gateway.keys.runner });
    expect((await asRunner()).status).toBe(404);
    expect(gateway.store.agents.list()).toEqual([]);
    await get(gateway);
    expect((await asRunner()).body.code).toBe("AGENT_NOT_FOUND");
  });
});

describe("an agent that is not there", () => {
  test("has no configuration", async () => {
    await using gateway = await startGateway();
    const answer = await get(gateway, "?agent=who%22");
    expect([answer.status, answer.body]).toEqual([
      404,
      { error: 'No agent with identifier "who""', code: "AGENT_NOT_FOUND", agentIdentifier: 'who"' },
    ]);
  });
});

describe("what a launcher asks besides", () => {
  test("is where to poll for approvals", async () => {
    await using gateway = await startGateway();
    expect((await gateway.call("GET /v1/gateway-url")).body).toEqual({ url: "http://localhost:10254" });
  });

  test("is our CA alone", async () => {
    await using gateway = await startGateway();
    const answer = await gateway.call("GET /v1/gateway/ca");
    expect([answer.text, answer.headers.get("content-type")]).toEqual([
      CA,
      "application/x-pem-file; charset=utf-8",
    ]);
  });

  test("is a text for the agent", async () => {
    await using gateway = await startGateway();
    const answer = await gateway.call("GET /v1/skill/gateway?agent_framework=claude");
    expect(answer.headers.get("content-type")).toBe("text/markdown; charset=utf-8");
    for (const code of ["blocked_by_policy", "placeholder", "x-onecli-hint"])
      expect(answer.text).toContain(code);
  });
});
