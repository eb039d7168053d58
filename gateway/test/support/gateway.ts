// A whole gateway for tests: the real composition on a free port with a temporary data directory, in this process.
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { compose, type Gateway } from "../../src/compose.ts";
import { type Config, readConfig } from "../../src/config.ts";
import { createLog } from "../../src/log.ts";

export interface TestGateway {
  readonly gateway: Gateway;
  readonly port: number;
  readonly url: string;
  readonly apiKey: string;
  readonly dataDir: string;
  readonly caFile: string;
  /** Calls the API with the admin key. */
  api(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }>;
  /** An agent and its token. */
  agent(identifier: string, options?: object): Promise<{ id: string; token: string; proxyUrl: string }>;
  secret(options: Record<string, unknown>): Promise<{ id: string }>;
  rule(options: Record<string, unknown>): Promise<{ id: string }>;
  audit(): Promise<readonly Record<string, unknown>[]>;
  stop(): Promise<void>;
}

export interface TestGatewayOptions {
  /** origins by name: `api.demo.test` → its port on 127.0.0.1, reached as name:443 */
  readonly origins?: Readonly<Record<string, { port: number; ca?: string; asPort?: number }>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly dataDir?: string;
  readonly apiKey?: string;
}

export async function startGateway(options: TestGatewayOptions = {}): Promise<TestGateway> {
  const dataDir = options.dataDir ?? mkdtempSync(path.join(os.tmpdir(), "onecli-test-"));
  const apiKey = options.apiKey ?? `oc_${randomBytes(32).toString("hex")}`;
  const config = testConfig(options, dataDir, apiKey);
  const gateway = await compose(config, createLog("silent"));
  const url = `http://127.0.0.1:${gateway.adminPort}`;
  const caFile = path.join(dataDir, "test-ca.pem");
  writeFileSync(caFile, gateway.plane.authority.certificate);
  const api = caller(url, apiKey);
  return {
    gateway,
    port: gateway.port,
    url,
    apiKey,
    dataDir,
    caFile,
    api,
    async agent(identifier, extra = {}) {
      const made = await api("POST", "/v1/agents", { name: identifier, identifier, ...extra });
      const { id } = expectStatus(made, 201) as { id: string };
      const renewed = await api("POST", `/v1/agents/${id}/regenerate-token`);
      const { accessToken } = expectStatus(renewed, 200) as { accessToken: string };
      return { id, token: accessToken, proxyUrl: `http://x:${accessToken}@127.0.0.1:${gateway.port}` };
    },
    secret: async (body) => expectStatus(await api("POST", "/v1/secrets", body), 201) as { id: string },
    rule: async (body) => expectStatus(await api("POST", "/v1/rules", body), 201) as { id: string },
    async audit() {
      gateway.plane.audit.flush();
      const page = expectStatus(await api("GET", "/v1/audit?limit=1000"), 200) as {
        records: Record<string, unknown>[];
      };
      return page.records.toReversed();
    },
    async stop() {
      await gateway.stop();
      if (options.dataDir === undefined) rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

function testConfig({ origins = {}, env = {} }: TestGatewayOptions, dataDir: string, apiKey: string): Config {
  const entries = Object.entries(origins);
  const extraCa = entries.map(([, { ca }]) => ca).filter((ca) => ca !== undefined);
  const caFile = path.join(dataDir, "test-origins.pem");
  if (extraCa.length > 0) writeFileSync(caFile, [...new Set(extraCa)].join("\n"));
  const named = entries.map(([name, { port, asPort = 443 }]) => ({ name, port, asPort }));
  return readConfig({
    HOME: dataDir,
    ONECLI_PORT: "0",
    ONECLI_BIND_HOST: "127.0.0.1",
    ONECLI_DATA_DIR: path.join(dataDir, "data"),
    ONECLI_API_KEY: apiKey,
    ONECLI_RESOLVE: named.map(({ name, port, asPort }) => `${name}:${asPort}=127.0.0.1:${port}`).join(","),
    ONECLI_ALLOW_PRIVATE: named.map(({ name, asPort }) => `${name}:${asPort}`).join(","),
    ...(extraCa.length > 0 ? { ONECLI_EXTRA_CA: caFile } : {}),
    LOG_LEVEL: "silent",
    ...env,
  });
}

function caller(url: string, apiKey: string) {
  return async (
    method: string,
    target: string,
    body?: unknown,
  ): Promise<{ status: number; body: unknown }> => {
    const response = await fetch(`${url}${target}`, {
      method,
      headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      body: text.startsWith("{") || text.startsWith("[") ? JSON.parse(text) : text,
    };
  };
}

function expectStatus(answer: { status: number; body: unknown }, status: number): unknown {
  if (answer.status !== status)
    throw new Error(`expected ${status}, got ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}
