// The product as it is shipped, in its own process with a directory of its own: one agent, one credential, 20 rules a name.
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { gatewayProgram } from "../../scripts/build-gateway.js";
import { gatewayFlags } from "../../scripts/run.js";
import { type Child, startChild } from "./child.ts";

export interface GatewayStart {
  /** `name:port` of the origin, and its port on loopback */
  readonly authority: string;
  /** another name of the origin, without a credential */
  readonly openAuthority: string;
  readonly originPort: number;
  readonly caFile: string;
  readonly directory: string;
  /** the credential's plaintext */
  readonly secret: string;
  /** folder for a CPU profile of the whole run; null = none */
  readonly profile: string | null;
}

export interface RunningGateway {
  readonly child: Child;
  readonly port: number;
  /** PEM file that agents trust */
  readonly caFile: string;
  readonly proxyCredentials: string;
  /** rows in the audit so far */
  auditRows(): Promise<number>;
}

/** As scripts/run.js starts it. The peers run under the same flags. */
export const PRODUCT_FLAGS = ["--conditions=source", ...gatewayFlags];
export const PROBE = ["--import", path.join(import.meta.dirname, "probe.js")];
export const GATEWAY_FILE = gatewayProgram();
export const READY = /http:\/\/localhost:(\d+)\n/;
const READY_TIMEOUT_MS = 30_000;
export const RULES = 20;
/** The API's highest. The load generator stays below it, see memory.ts. */
export const RATE_LIMIT_PER_MINUTE = 1_000_000;

export async function startGateway(start: GatewayStart): Promise<RunningGateway> {
  const apiKey = `oc_${randomBytes(32).toString("hex")}`;
  const profile = start.profile === null ? [] : ["--cpu-prof", `--cpu-prof-dir=${start.profile}`];
  const child = startChild({
    name: "gateway",
    file: GATEWAY_FILE,
    flags: [...PRODUCT_FLAGS, ...PROBE, ...profile],
    env: gatewayEnvironment(start, apiKey),
  });
  const port = Number((await child.waitForOutput(READY, READY_TIMEOUT_MS))[1]);
  const api = apiOf(port, apiKey);
  const token = await configure(api, start);
  const caFile = path.join(start.directory, "gateway-ca.pem");
  writeFileSync(caFile, await api("GET", "/v1/gateway/ca", undefined));
  return {
    child,
    port,
    caFile,
    proxyCredentials: `Basic ${Buffer.from(`x:${token}`).toString("base64")}`,
    auditRows: async () => {
      const { records } = JSON.parse(await api("GET", "/v1/audit?limit=1", undefined)) as {
        records: { seq: number }[];
      };
      return records[0]?.seq ?? 0;
    },
  };
}

export function gatewayEnvironment(start: GatewayStart, apiKey: string): Record<string, string> {
  const names = [start.authority, start.openAuthority];
  return {
    HOME: start.directory,
    ONECLI_PORT: "0",
    ONECLI_BIND_HOST: "127.0.0.1",
    ONECLI_DATA_DIR: path.join(start.directory, "data"),
    ONECLI_API_KEY: apiKey,
    ONECLI_EXTRA_CA: start.caFile,
    ONECLI_RESOLVE: names.map((name) => `${name}=127.0.0.1:${start.originPort}`).join(","),
    ONECLI_ALLOW_PRIVATE: names.join(","),
  };
}

type Api = (method: string, target: string, body: unknown) => Promise<string>;

function apiOf(port: number, apiKey: string): Api {
  return async (method, target, body) => {
    const response = await fetch(`http://127.0.0.1:${port}${target}`, {
      method,
      headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${target} answered ${response.status} ${text}`);
    return text;
  };
}

/** @returns the agent's token */
async function configure(api: Api, { authority, openAuthority, secret }: GatewayStart): Promise<string> {
  const agent = JSON.parse(await api("POST", "/v1/agents", { name: "bench", identifier: "bench" })) as {
    id: string;
  };
  const credential = { headerName: "authorization", valueFormat: "Bearer {value}" };
  await api("POST", "/v1/secrets", {
    name: "bench",
    type: "generic",
    value: secret,
    hostPattern: authority,
    injectionConfig: credential,
  });
  // The same at both names, so that they differ by the credential alone.
  for (const rule of [...rules(authority), ...rules(openAuthority)]) await api("POST", "/v1/rules", rule);
  const renewed = await api("POST", `/v1/agents/${agent.id}/regenerate-token`, undefined);
  return (JSON.parse(renewed) as { accessToken: string }).accessToken;
}

/** One limit that counts every call and never trips; blocks and allows, most of them on the origin's own name. */
function rules(authority: string): object[] {
  const limit = { action: "rate_limit", rateLimit: RATE_LIMIT_PER_MINUTE, rateLimitWindow: "minute" };
  const others = Array.from({ length: RULES - 1 }, (_, n) => ({
    name: `rule ${n}`,
    hostPattern: n % 5 === 0 ? `host${n}.bench.test` : authority,
    pathPattern: n % 2 === 0 ? `/admin/${n}/*` : `/v1/items/*/part${n}`,
    action: n % 3 === 0 ? "allow" : "block",
    ...(n % 4 === 0 ? { method: "DELETE" } : {}),
  }));
  return [{ name: "limit", hostPattern: authority, ...limit }, ...others];
}
