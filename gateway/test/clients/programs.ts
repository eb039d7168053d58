// The programs that agents use, how each is called, and what runs them: with the environment that a launcher sets, or
// through `onecli run`.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import path from "node:path";
import { rootCertificates } from "node:tls";
import { fileURLToPath } from "node:url";
import {
  childEnvironment,
  combinedBundle,
  firstCertificate,
  OneCLI,
  privateFile,
  systemRoots,
} from "@onecli/sdk";
import type { TestGateway } from "../support/gateway.ts";

export type Environment = Readonly<Record<string, string>>;

export interface Program {
  readonly name: string;
  /** must be there on the machine that decides about a change */
  readonly required: boolean;
  readonly installed: boolean;
  readonly followsRedirects: boolean;
  readonly reusesConnections: boolean;
  /** argv of a call that sends `Authorization: Bearer $DEMO_API_KEY` */
  command(method: string, urls: readonly string[], bodyFile?: string): readonly string[];
}

const here = path.dirname(fileURLToPath(import.meta.url));
const launcher = path.join(here, "../../../cli/bin/onecli.js");
const script = (name: string) => path.join(here, "programs", name);
const runs = (command: string, ...args: string[]) => spawnSync(command, args).status === 0;

export const programs: readonly Program[] = [
  {
    name: "curl",
    required: true,
    installed: runs("curl", "--version"),
    followsRedirects: true,
    reusesConnections: true,
    command: curlCommand,
  },
  nodeProgram("node fetch", "fetch.js", { followsRedirects: true }),
  nodeProgram("node https", "https.js", { followsRedirects: false }),
  nodeProgram("undici", "undici.js", { followsRedirects: false }),
  {
    ...pythonProgram("urllib_client.py"),
    name: "python urllib",
    required: true,
    installed: runs("python3", "--version"),
    reusesConnections: false,
  },
  {
    ...pythonProgram("requests_client.py"),
    name: "python requests",
    required: false,
    installed: runs("python3", "-c", "import requests"),
    reusesConnections: true,
  },
];

/** The fake key is read from the environment by a shell: argv is seen by everyone on a machine. */
function curlCommand(method: string, urls: readonly string[], bodyFile?: string): readonly string[] {
  const how = method === "HEAD" ? ["--head"] : ["-X", method];
  const body = bodyFile === undefined ? [] : ["--data-binary", `@${bodyFile}`];
  const flags = ["-sS", "-N", "-L", "-w", "%{stderr}status %{http_code}\\n"];
  const line = 'exec curl -H "Authorization: Bearer $DEMO_API_KEY" "$@"';
  return ["sh", "-c", line, "sh", ...flags, ...how, ...body, ...urls];
}

function nodeProgram(name: string, file: string, traits: Pick<Program, "followsRedirects">): Program {
  const argv = (method: string, urls: readonly string[]) => [process.execPath, script(file), method, ...urls];
  return {
    name,
    required: true,
    installed: true,
    reusesConnections: true,
    ...traits,
    command: withBody(argv),
  };
}

function pythonProgram(file: string): Pick<Program, "command" | "followsRedirects"> {
  return {
    followsRedirects: true,
    command: withBody((method, urls) => ["python3", script(file), method, ...urls]),
  };
}

function withBody(argv: (method: string, urls: readonly string[]) => readonly string[]): Program["command"] {
  return (method, urls, bodyFile) =>
    bodyFile === undefined ? argv(method, urls) : ["env", `BODY_FILE=${bodyFile}`, ...argv(method, urls)];
}

export interface Ran {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
  /** of each answer */
  readonly statuses: readonly number[];
}

export interface RunOptions {
  readonly cwd?: string;
  readonly onOutput?: (soFar: string) => void;
}

export function run(argv: readonly string[], env: Environment, options: RunOptions = {}): Promise<Ran> {
  const [command = "", ...args] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      env,
      stdio: ["ignore", "pipe", "pipe"],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    const chunks: Buffer[] = [];
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      options.onOutput?.(Buffer.concat(chunks).toString());
    });
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    child.once("error", reject);
    child.once("close", (code) => {
      const statuses = [...stderr.matchAll(/^status (\d+)$/gm)].map(([, status]) => Number(status));
      resolve({ code: code ?? -1, stdout: Buffer.concat(chunks), stderr, statuses });
    });
  });
}

const system = (home: string): Environment => ({ PATH: process.env["PATH"] ?? "", HOME: home });

/** What a launcher gives to a program of this host: the answer of container-config, fitted by the SDK. */
export async function wiredEnvironment(gateway: TestGateway, agent: string): Promise<Environment> {
  const home = path.join(gateway.dataDir, "home");
  const directory = path.join(home, "wiring");
  mkdirSync(home, { recursive: true });
  const client = new OneCLI({ url: gateway.url, apiKey: gateway.apiKey, filesDirectory: directory });
  const config = await client.getContainerConfig({ agent });
  const roots = (await systemRoots()) ?? rootCertificates.join("\n");
  const ca = firstCertificate(config.caCertificate);
  const bundle = combinedBundle(roots, config.caCertificate);
  return {
    ...system(home),
    ...childEnvironment(config, {
      caFile: await privateFile(directory, { name: "ca.pem", content: ca }),
      bundleFile: await privateFile(directory, { name: "bundle.pem", content: bundle }),
      gatewayHost: "127.0.0.1",
    }),
  };
}

/** The same by the command line tool: its own environment, and what stands before the program. */
export function throughOnecli(
  gateway: TestGateway,
  agent: string,
): { env: Environment; argv: readonly string[] } {
  const home = path.join(gateway.dataDir, "home");
  mkdirSync(home, { recursive: true });
  return {
    env: { ...system(home), ONECLI_URL: gateway.url, ONECLI_API_KEY: gateway.apiKey },
    argv: [process.execPath, launcher, "run", "--quiet", "--agent", agent, "--"],
  };
}

const trustVariables =
  /^(NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|GIT_SSL_CAINFO|DENO_CERT)$/;

export function withoutTrust(env: Environment): Environment {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !trustVariables.test(name)));
}

export function withWrongToken(env: Environment): Environment {
  const wrong = `aoc_${"0".repeat(64)}`;
  return Object.fromEntries(
    Object.entries(env).map(([name, value]) => [name, value.replace(/aoc_[0-9a-f]{64}/, wrong)]),
  );
}
