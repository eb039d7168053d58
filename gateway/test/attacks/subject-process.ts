// Starts subject.ts, and calls its API.
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { limits } from "../../src/limits.ts";
import { basic } from "../support/client.ts";
import type { Place, Proxy } from "./world.ts";

export interface Subject {
  readonly proxy: Proxy;
  readonly apiKey: string;
  readonly token: string;
  /** everything below it belongs to the process */
  readonly home: string;
  /** all that was printed, both streams */
  readonly output: () => string;
  api(method: string, target: string, body?: unknown): Promise<{ status: number; text: string }>;
  /** @returns the file; pools are closed and garbage is collected before */
  heapSnapshot(): Promise<string>;
  end(): Promise<void>;
}

export interface SubjectOptions {
  readonly places: readonly Place[];
  readonly limits?: Partial<Record<keyof typeof limits, number>>;
  readonly env?: Readonly<Record<string, string>>;
}

const file = fileURLToPath(new URL("subject.ts", import.meta.url));
const FLAGS = ["--conditions=source", "--disable-warning=ExperimentalWarning", "--expose-gc"];

export async function startSubject({ places, limits = {}, env = {} }: SubjectOptions): Promise<Subject> {
  const home = mkdtempSync(path.join(os.tmpdir(), "onecli-subject-"));
  const apiKey = `oc_${randomBytes(32).toString("hex")}`;
  const child = spawn(process.execPath, [...FLAGS, file], {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    env: { ...environmentOf(places, home, apiKey), ATTACK_LIMITS: JSON.stringify(limits), ...env },
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const ended = once(child, "exit");
  const { port } = await Promise.race([
    once(child, "message").then(([message]) => message as { port: number }),
    ended.then(() => Promise.reject(new Error(`the gateway did not start: ${output.slice(0, 500)}`))),
  ]);
  const api = callerOf(port, apiKey);
  return {
    proxy: { host: "127.0.0.1", port, credentials: null, socketPath: null },
    apiKey,
    token: await tokenOf(api),
    home,
    output: () => output,
    api,
    heapSnapshot: () => heapSnapshot(child, home),
    async end() {
      if (child.connected) child.send({ stop: true });
      await ended;
      rmSync(home, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

export function asAgent({ proxy, token }: Subject): Proxy {
  return { ...proxy, credentials: basic(token) };
}

function environmentOf(places: readonly Place[], home: string, apiKey: string): Record<string, string> {
  const caFile = path.join(home, "origins.pem");
  writeFileSync(caFile, [...new Set(places.map(({ origin }) => origin.ca))].join("\n"));
  return {
    PATH: process.env["PATH"] ?? "",
    HOME: home,
    ONECLI_PORT: "0",
    ONECLI_BIND_HOST: "127.0.0.1",
    ONECLI_API_KEY: apiKey,
    ONECLI_RESOLVE: places
      .map(({ host, port, origin }) => `${host}:${port}=127.0.0.1:${origin.port}`)
      .join(","),
    ONECLI_ALLOW_PRIVATE: places.map(({ host, port }) => `${host}:${port}`).join(","),
    ONECLI_EXTRA_CA: caFile,
    LOG_LEVEL: "trace",
  };
}

function callerOf(port: number, apiKey: string): Subject["api"] {
  return async (method, target, body) => {
    const response = await fetch(`http://127.0.0.1:${port}${target}`, {
      method,
      headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json", connection: "close" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, text: await response.text() };
  };
}

async function tokenOf(api: Subject["api"]): Promise<string> {
  const made = JSON.parse(
    (await api("POST", "/v1/agents", { name: "worker", identifier: "worker" })).text,
  ) as { id: string };
  const renewed = await api("POST", `/v1/agents/${made.id}/regenerate-token`);
  return (JSON.parse(renewed.text) as { accessToken: string }).accessToken;
}

async function heapSnapshot(child: ChildProcess, home: string): Promise<string> {
  const heap = path.join(home, "gateway.heapsnapshot");
  child.send({ heap });
  await once(child, "message");
  return heap;
}
