// The demo's world in a temporary folder: a real gateway process, and a local TLS API that records what it gets.
import { spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { OneCLI } from "@onecli/sdk";
import { type Origin, startOrigin } from "../../gateway/test/support/origin.ts";

export const API_HOST = "api.demo.test";
const root = fileURLToPath(new URL("../../", import.meta.url));

export interface World {
  readonly home: string;
  readonly url: string;
  readonly client: OneCLI;
  readonly api: Origin;
  /** Runs the onecli command as a person would; resolves with what it printed. */
  onecli(args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }>;
  close(): Promise<void>;
}

export async function openWorld(): Promise<World> {
  const home = mkdtempSync(path.join(os.tmpdir(), "onecli-demo-"));
  const api = await startOrigin({ tls: true, names: [API_HOST] });
  api.handle((request, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ ok: true, path: request.url }));
  });
  const caFile = path.join(home, "api-ca.pem");
  writeFileSync(caFile, api.ca);
  const port = await freePort();
  const apiKey = `oc_${randomBytes(32).toString("hex")}`;
  const env = {
    PATH: process.env["PATH"] ?? "",
    HOME: home,
    ONECLI_PORT: String(port),
    ONECLI_BIND_HOST: "127.0.0.1",
    ONECLI_API_KEY: apiKey,
    ONECLI_URL: `http://127.0.0.1:${port}`,
    ONECLI_RESOLVE: `${API_HOST}:443=127.0.0.1:${api.port}`,
    ONECLI_ALLOW_PRIVATE: `${API_HOST}:443`,
    ONECLI_EXTRA_CA: caFile,
    LOG_LEVEL: "warn",
  };
  const gateway = spawn(process.execPath, [path.join(root, "scripts/run.js"), "gateway/src/main.ts"], {
    env,
    stdio: ["ignore", "ignore", "inherit"],
  });
  await healthy(`${env.ONECLI_URL}/v1/health`, gateway);
  return {
    home,
    url: env.ONECLI_URL,
    client: new OneCLI({ url: env.ONECLI_URL, apiKey, filesDirectory: path.join(home, "mounts") }),
    api,
    onecli: (args) => run(process.execPath, [path.join(root, "cli/bin/onecli.js"), ...args], env),
    async close() {
      await stop(gateway);
      await api.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

const START_MS_MAX = 20_000;

async function healthy(url: string, gateway: ChildProcess): Promise<void> {
  const until = Date.now() + START_MS_MAX;
  while (Date.now() < until && gateway.exitCode === null) {
    const answer = await fetch(url).catch(() => null);
    if (answer?.ok === true) return;
    await sleep(25);
  }
  gateway.kill("SIGKILL");
  throw new Error("the gateway did not start");
}

function stop(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null) return resolve();
    child.once("exit", () => resolve());
    child.kill("SIGTERM");
  });
}

function run(command: string, args: readonly string[], env: Record<string, string>) {
  return new Promise<{ code: number; stdout: string; stderr: string }>((resolve, reject) => {
    const child = spawn(command, args, { env, stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    child.once("error", reject);
    child.once("close", (code) => resolve({ code: code ?? 1, stdout, stderr }));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as net.AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}
