// A Git server: `git http-backend` behind TLS and a password, as hosting sites have it.
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import os from "node:os";
import path from "node:path";
import { startWebOrigin } from "../support/web-origin.ts";

export interface GitOrigin {
  readonly port: number;
  readonly ca: string;
  readonly repository: string;
  /** calls that were let in */
  readonly admitted: readonly string[];
  /** Runs git in the bare repository. */
  git(...args: string[]): string;
  close(): Promise<void>;
}

export interface GitOriginOptions {
  readonly host: string;
  readonly username: string;
  readonly password: string;
}

const identity = [
  "-c",
  "user.name=Tester",
  "-c",
  "user.email=tester@demo.test",
  "-c",
  "init.defaultBranch=main",
];

/** With one commit on `main` that holds `README`. */
export async function startGitOrigin({ host, username, password }: GitOriginOptions): Promise<GitOrigin> {
  const root = mkdtempSync(path.join(os.tmpdir(), "onecli-git-"));
  const repository = path.join(root, "project.git");
  seed(root, repository);
  const wanted = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
  const admitted: string[] = [];
  const site = await startWebOrigin({
    names: [host],
    other(request, response) {
      if (request.headers.authorization !== wanted) return challenge(request, response);
      admitted.push(`${request.method} ${request.url}`);
      serve(root, { request, response, username });
    },
  });
  return {
    port: site.port,
    ca: site.ca,
    repository,
    admitted,
    git: (...args) => execFileSync("git", args, { cwd: repository, encoding: "utf8" }),
    async close() {
      await site.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

function seed(root: string, repository: string): void {
  const work = path.join(root, "seed");
  mkdirSync(work);
  const git = (...args: string[]) =>
    execFileSync("git", [...identity, ...args], { cwd: work, stdio: "pipe" });
  git("init", "-q");
  writeFileSync(path.join(work, "README"), "A project.\n");
  git("add", "README");
  git("commit", "-q", "-m", "Begin");
  git("clone", "-q", "--bare", work, repository);
}

function challenge(request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  response.writeHead(401, { "www-authenticate": 'Basic realm="Git"' }).end("Log in.\n");
}

interface Serving {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly username: string;
}

/** RFC 3875: the request as environment and standard input, the answer as header section and body. */
function serve(root: string, { request, response, username }: Serving): void {
  const url = new URL(request.url ?? "/", "https://origin");
  const { headers } = request;
  const given = {
    CONTENT_LENGTH: headers["content-length"],
    CONTENT_TYPE: headers["content-type"],
    HTTP_CONTENT_ENCODING: headers["content-encoding"],
    GIT_PROTOCOL: headers["git-protocol"]?.toString(),
  };
  const backend = spawn("git", ["http-backend"], {
    env: {
      PATH: process.env["PATH"],
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: "1",
      REMOTE_USER: username,
      REQUEST_METHOD: request.method,
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
    },
    stdio: ["pipe", "pipe", "inherit"],
  });
  backend.stdin.on("error", () => request.resume());
  request.pipe(backend.stdin);
  relay(backend.stdout, response);
}

function relay(output: NodeJS.ReadableStream, response: ServerResponse): void {
  let head = "";
  output.on("data", (chunk: Buffer) => {
    if (response.headersSent) response.write(chunk);
    else if ((head += chunk.toString("latin1")).includes("\r\n\r\n")) begin(head, response);
  });
  output.on("end", () => response.end());
}

function begin(text: string, response: ServerResponse): void {
  const end = text.indexOf("\r\n\r\n");
  const fields = text
    .slice(0, end)
    .split("\r\n")
    .map((line) => line.split(/: ?(.*)/s));
  const status = Number(fields.find(([name]) => name === "Status")?.[1]?.slice(0, 3) ?? 200);
  const kept = fields.filter(([name]) => name !== "Status");
  response.writeHead(
    status,
    kept.flatMap(([name = "", value = ""]) => [name, value]),
  );
  response.write(Buffer.from(text.slice(end + 4), "latin1"));
}
