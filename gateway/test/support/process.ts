// The gateway as it runs in production: main.ts in a process of its own, with a temporary home, that can be killed and
// started again on the same data.
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

export interface ProcessOrigin {
  readonly port: number;
  readonly ca?: string;
}

export interface ProcessOptions {
  /** `api.demo.test` → where it listens on 127.0.0.1, reached as name:443 */
  readonly origins?: Readonly<Record<string, ProcessOrigin>>;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface GatewayProcess {
  readonly home: string;
  readonly dataDir: string;
  readonly apiKey: string;
  /** of the process that runs now */
  readonly pid: number;
  readonly port: number;
  readonly url: string;
  /** everything that the processes printed so far, both streams */
  readonly output: string;
  api<T = unknown>(method: string, target: string, body?: unknown): Promise<T>;
  agent(identifier: string): Promise<{ id: string; token: string }>;
  /** Sends the signal and waits for the end. */
  kill(signal: NodeJS.Signals): Promise<Ended>;
  /** Starts it again after its end, on the same data directory. */
  restart(): Promise<void>;
  /** Ends it if it runs, and removes its home. */
  close(): Promise<void>;
}

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const flags = [
  "--conditions=source",
  "--disable-warning=ExperimentalWarning",
  "--max-semi-space-size=4",
  "--disable-sigusr1",
];
const START_MS_MAX = 30_000;
const LOOK_MS = 20;

export async function startGatewayProcess(options: ProcessOptions = {}): Promise<GatewayProcess> {
  const home = mkdtempSync(path.join(os.tmpdir(), "onecli-process-"));
  const apiKey = `oc_${randomBytes(32).toString("hex")}`;
  const env = environmentOf(options, home, apiKey);
  let output = "";
  const start = () => startOnce(env, (text) => (output += text));
  let running = await start().catch((error: unknown) => {
    rmSync(home, { recursive: true, force: true });
    throw error;
  });
  const gateway: GatewayProcess = {
    home,
    dataDir: path.join(home, ".onecli", "data"),
    apiKey,
    get pid() {
      return running.child.pid ?? 0;
    },
    get port() {
      return running.port;
    },
    get url() {
      return `http://127.0.0.1:${running.port}`;
    },
    get output() {
      return output;
    },
    api: <T>(method: string, target: string, body?: unknown) => call<T>(gateway, { method, target, body }),
    agent: (identifier) => createAgent(gateway, identifier),
    kill: (signal) => end(running.child, signal),
    async restart() {
      running = await start();
    },
    async close() {
      await end(running.child, "SIGKILL");
      rmSync(home, { recursive: true, force: true, maxRetries: 5 });
    },
  };
  return gateway;
}

function environmentOf({ origins = {}, env = {} }: ProcessOptions, home: string, apiKey: string) {
  const entries = Object.entries(origins);
  const caFile = path.join(home, "origins.pem");
  const authorities = [...new Set(entries.flatMap(([, { ca }]) => ca ?? []))];
  if (authorities.length > 0) writeFileSync(caFile, authorities.join("\n"));
  return {
    PATH: process.env["PATH"] ?? "",
    HOME: home,
    ONECLI_PORT: "0",
    ONECLI_BIND_HOST: "127.0.0.1",
    ONECLI_API_KEY: apiKey,
    ONECLI_RESOLVE: entries.map(([name, { port }]) => `${name}:443=127.0.0.1:${port}`).join(","),
    ONECLI_ALLOW_PRIVATE: entries.map(([name]) => `${name}:443`).join(","),
    ...(authorities.length > 0 ? { ONECLI_EXTRA_CA: caFile } : {}),
    LOG_LEVEL: "info",
    ...env,
  };
}

interface Running {
  readonly child: ChildProcess;
  readonly port: number;
}

async function startOnce(env: Record<string, string>, print: (text: string) => void): Promise<Running> {
  const child = spawn(process.execPath, [...flags, main], { env, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  const hear = (chunk: Buffer) => {
    said += said.length < 10_000 ? chunk.toString() : "";
    print(chunk.toString());
  };
  child.stdout.on("data", hear);
  child.stderr.on("data", hear);
  const until = Date.now() + START_MS_MAX;
  while (Date.now() < until && child.exitCode === null) {
    const port = Number(/API and dashboard +http:\/\/localhost:(\d+)/.exec(said)?.[1]);
    if (port > 0 && (await isHealthy(port))) return { child, port };
    await sleep(LOOK_MS);
  }
  child.kill("SIGKILL");
  throw new Error(`the gateway did not start: ${said}`);
}

async function isHealthy(port: number): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => null);
  return answer?.ok === true;
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<Ended> {
  if (child.exitCode === null && child.signalCode === null) {
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  }
  return { code: child.exitCode, signal: child.signalCode };
}

interface ApiCall {
  readonly method: string;
  readonly target: string;
  readonly body: unknown;
}

async function call<T>({ url, apiKey }: GatewayProcess, { method, target, body }: ApiCall): Promise<T> {
  const response = await fetch(`${url}${target}`, {
    method,
    headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${target} answered ${response.status} ${text}`);
  return (/^[[{]/.test(text) ? JSON.parse(text) : text) as T;
}

async function createAgent(gateway: GatewayProcess, identifier: string) {
  const { id } = await gateway.api<{ id: string }>("POST", "/v1/agents", { name: identifier, identifier });
  const { accessToken } = await gateway.api<{ accessToken: string }>(
    "POST",
    `/v1/agents/${id}/regenerate-token`,
  );
  return { id, token: accessToken };
}
