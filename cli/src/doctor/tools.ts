// Each tool makes a real HTTPS call in the environment that `onecli run` would give it.
import { execFile } from "node:child_process";
import { devNull, tmpdir } from "node:os";
import { type Finding, failed, ok, skipped } from "./report.ts";

export interface Probe {
  readonly url: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** sequence number of the newest audit record about the host */
  readonly recorded: () => Promise<number>;
}

interface Tool {
  readonly name: string;
  readonly args: (url: string) => readonly string[];
  /** what the tool prints once it got an HTTP answer inside TLS */
  readonly answered: RegExp;
  /** for a tool that went around the proxy */
  readonly fixProxy: string;
}

const nodeScript = `fetch(process.argv[1]).then(
  (response) => console.log("status", response.status),
  (error) => { console.error(error.cause?.code, error.cause?.message ?? error.message); process.exit(1); });`;
const pythonScript = `import sys, urllib.request, urllib.error
try:
    print("status", urllib.request.urlopen(sys.argv[1], timeout=15).status)
except urllib.error.HTTPError as error:
    print("status", error.code)`;

const variables =
  "does a settings file of its own (.curlrc, .gitconfig http.proxy) override the environment?";
const tools: readonly Tool[] = [
  {
    name: "curl",
    args: (url) => ["-sS", "--max-time", "15", "-o", devNull, "-w", "status %{http_code}\n", url],
    answered: /status [1-9][0-9]{2}/,
    fixProxy: variables,
  },
  {
    name: "git",
    args: (url) => ["-c", "credential.helper=", "ls-remote", new URL("doctor.git", url).href],
    answered:
      /returned error: [0-9]{3}|repository .* not found|could not read Username|Authentication failed/,
    fixProxy: variables,
  },
  {
    name: "node",
    args: (url) => ["-e", nodeScript, url],
    answered: /status [1-9][0-9]{2}/,
    fixProxy:
      "this Node's fetch ignores proxy variables: install Node 24 or newer, which honours NODE_USE_ENV_PROXY",
  },
  {
    name: "python3",
    args: (url) => ["-c", pythonScript, url],
    answered: /status [1-9][0-9]{2}/,
    fixProxy: variables,
  },
];

export async function probeTools(probe: Probe): Promise<Finding[]> {
  const findings: Finding[] = [];
  // One after the other: the audit must tell whose call it saw.
  for (const tool of tools) findings.push(await probeTool(tool, probe));
  return findings;
}

async function probeTool(tool: Tool, probe: Probe): Promise<Finding> {
  const before = await recorded(probe);
  const output = await execute(tool, probe);
  if (output === undefined) return skipped(tool.name, "not installed");
  const proxied = await wasProxied(probe, output, { before, answered: tool.answered });
  return finding(tool, output, proxied);
}

function finding(tool: Tool, output: string, proxied: boolean): Finding {
  const trusted = tool.answered.test(output);
  const what = { proxied, trusted };
  if (proxied && trusted) return ok(tool.name, "went through the gateway and trusts its CA", what);
  const said = excerpt(output);
  if (refused.test(output))
    return failed(tool.name, `token refused: ${said}`, "onecli agents regenerate-token", what);
  if (proxied || untrusted.test(output)) {
    const fix = "does the tool use a trust store of its own? SSL_CERT_FILE and its siblings name ours";
    return failed(tool.name, `does not trust the gateway's CA: ${said}`, fix, what);
  }
  return failed(tool.name, `did not go through the gateway: ${said}`, tool.fixProxy, what);
}

const refused = /\b407\b|Proxy Authentication Required/i;
const untrusted = /certificate|self.signed|UNABLE_TO_(VERIFY|GET)|CERT_|SSL_ERROR|issuer/i;

/**
 * A name under `.test` never resolves: whoever got an answer, or a certificate to refuse, had it from the gateway. For
 * any other host only the audit is proof.
 */
async function wasProxied(
  probe: Probe,
  output: string,
  { before, answered }: { before: number; answered: RegExp },
): Promise<boolean> {
  const { hostname } = new URL(probe.url);
  if (hostname.endsWith(".test")) return answered.test(output) || untrusted.test(output);
  return (await recorded(probe)) > before;
}

async function recorded(probe: Probe): Promise<number> {
  return probe.recorded().catch(() => 0);
}

const TOOL_TIMEOUT_MS = 20_000;
const OUTPUT_BYTES_MAX = 1024 * 1024;

/** Everything the tool printed; undefined when it is not installed. */
function execute(tool: Tool, probe: Probe): Promise<string | undefined> {
  const options = {
    env: { ...probe.env, LC_ALL: "C" },
    cwd: tmpdir(),
    timeout: TOOL_TIMEOUT_MS,
    maxBuffer: OUTPUT_BYTES_MAX,
  };
  return new Promise((resolve) => {
    execFile(tool.name, tool.args(probe.url), options, (error, stdout, stderr) => {
      resolve(error?.code === "ENOENT" ? undefined : `${stdout}${stderr}`);
    });
  });
}

function excerpt(output: string): string {
  const EXCERPT_CHARACTERS_MAX = 160;
  const line = output.trim().split("\n").at(-1) ?? "";
  return line === "" ? "it said nothing" : line.slice(0, EXCERPT_CHARACTERS_MAX);
}
