// The installed program as users start it: the launcher, a real child process, real tools.
import { execFile, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ADMIN_KEY, exampleConfig, type StandIn, startStandIn } from "../../sdk/test/support/stand-in.ts";
import { type Session, startSession } from "./support/session.ts";
import { type StandInProxy, startStandInProxy } from "./support/stand-in-proxy.ts";

const launcher = fileURLToPath(new URL("../bin/onecli.js", import.meta.url));
let standIn: StandIn;
let user: Session;

beforeEach(async () => {
  standIn = await startStandIn();
  user = startSession({ ONECLI_URL: standIn.url, ONECLI_API_KEY: ADMIN_KEY });
});
afterEach(async () => {
  user.close();
  await standIn.close();
});

interface Ended {
  exitCode: number;
  stdout: string;
  stderr: string;
}

function onecli(argv: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { env: { ...user.env, ...env } };
    execFile(process.execPath, [launcher, ...argv], options, (error, stdout, stderr) => {
      resolve({ exitCode: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

const printEnvironment = ["node", "-e", "console.log(JSON.stringify(process.env))"];
async function childEnvironment(env: Record<string, string> = {}): Promise<Record<string, string>> {
  const { stdout } = await onecli(["run", "--", ...printEnvironment], env);
  return JSON.parse(stdout) as Record<string, string>;
}

describe("a program started with onecli run", () => {
  test("gets what the gateway sent, with the proxy under the name this host uses", async () => {
    const env = await childEnvironment();
    expect(env["HTTPS_PROXY"]).toBe(
      exampleConfig.env.HTTPS_PROXY.replace("host.docker.internal", "127.0.0.1"),
    );
    expect(env["ANTHROPIC_API_KEY"]).toBe("placeholder");
    expect(env["SPACED"]).toBe("a=b c");
  });

  test("gets the CA in private files, alone and with this host's roots", async () => {
    const env = await childEnvironment();
    expect(readFileSync(env["NODE_EXTRA_CA_CERTS"] ?? "", "utf8")).toMatch(
      /^-+BEGIN CERTIFICATE-+\nb3Vycw==\n/,
    );
    for (const name of [
      "SSL_CERT_FILE",
      "CURL_CA_BUNDLE",
      "REQUESTS_CA_BUNDLE",
      "GIT_SSL_CAINFO",
      "DENO_CERT",
    ]) {
      expect(readFileSync(env[name] ?? "", "utf8")).toContain("b3Vycw==");
    }
    const directory = path.dirname(env["SSL_CERT_FILE"] ?? "");
    expect(directory.startsWith(user.home)).toBe(true);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
  });

  test("does not get keys to the control plane, nor ways around the gateway", async () => {
    const env = await childEnvironment({
      ONECLI_MASTER_KEY: "m",
      NO_PROXY: "*",
      no_proxy: "*",
      ALL_PROXY: "http://elsewhere",
      ANTHROPIC_AUTH_TOKEN: "real",
      ANTHROPIC_API_KEY: "real",
      KEPT: "yes",
    });
    for (const name of [
      "ONECLI_API_KEY",
      "ONECLI_MASTER_KEY",
      "ALL_PROXY",
      "no_proxy",
      "ANTHROPIC_AUTH_TOKEN",
    ]) {
      expect(env).not.toHaveProperty(name);
    }
    expect(env).toMatchObject({
      KEPT: "yes",
      NO_PROXY: exampleConfig.env.NO_PROXY,
      ANTHROPIC_API_KEY: "placeholder",
    });
  });

  test("gets its arguments untouched by any shell, flags of ours among them", async () => {
    const script = "console.log(JSON.stringify(process.argv.slice(1)))";
    const odd = ["$HOME", "a b", "; true", "--agent", "x", "-o", "--"];
    const { stdout } = await onecli(["run", "--", "node", "-e", script, "--", ...odd]);
    expect(JSON.parse(stdout)).toEqual(odd);
  });

  test.each([
    ["exit code", "process.exit(7)", 7],
    ["signal", "process.kill(process.pid, 'SIGKILL')", 137],
  ])("ends us with its %s", async (_, script, exitCode) => {
    expect((await onecli(["run", "--", "node", "-e", script])).exitCode).toBe(exitCode);
  });

  test("is told when we are asked to end", async () => {
    const script =
      "process.on('SIGTERM', () => process.exit(5)); setInterval(() => {}, 1000); console.log('up')";
    const child = spawn(process.execPath, [launcher, "run", "--", "node", "-e", script], { env: user.env });
    child.stdout.once("data", () => child.kill("SIGTERM"));
    expect(await new Promise((resolve) => child.once("exit", resolve))).toBe(5);
  });

  test("is announced with the names of its fake keys, unless quiet", async () => {
    const loud = await onecli(["run", "--", "true"]);
    expect(loud.stderr).toContain("ANTHROPIC_API_KEY, STRIPE_API_KEY");
    expect(loud.stderr).not.toContain("sk_test_fake");
    expect((await onecli(["run", "-q", "--", "true"])).stderr).toBe("");
  });

  test("is only shown in a dry run, without the agent's token", async () => {
    const told = await onecli(["run", "--dry-run", "--", "touch", path.join(user.home, "made")]);
    expect(JSON.parse(told.stdout)).toMatchObject({ dry_run: true, env: { SPACED: "a=b c" } });
    expect(told.stdout).not.toMatch(/aoc_1/);
    expect(existsSync(path.join(user.home, "made"))).toBe(false);
  });

  test.each([
    ["that is not there", ["run", "--", "onecli-no-such-program"], 127],
    ["for an agent that is not there", ["run", "--agent", "nobody", "--", "true"], 3],
    ["when none is named", ["run"], 1],
  ])("%s does not start", async (_, argv, exitCode) => {
    const told = await onecli(argv);
    expect(told).toMatchObject({ exitCode, stdout: "" });
    expect(told.stderr).toContain(`"error"`);
  });

  test("leaves nothing behind but its files in ~/.onecli", async () => {
    await onecli(["run", "--", "true"]);
    expect(readdirSync(user.home)).toEqual([".onecli"]);
    expect(readdirSync(path.join(user.home, ".onecli"))).toEqual(["run"]);
  });
});

describe("the doctor", () => {
  const token = `aoc_${"1".repeat(64)}`;
  let proxy: StandInProxy;

  beforeEach(async () => {
    proxy = await startStandInProxy(token, "doctor.onecli.test");
  });
  afterEach(() => proxy.close());

  function config(change: { ca?: string; token?: string } = {}) {
    const address = `http://x:${change.token ?? token}@host.docker.internal:${proxy.port}`;
    const variables = ["HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"];
    return {
      env: {
        ...Object.fromEntries(variables.map((name) => [name, address])),
        NODE_USE_ENV_PROXY: "1",
        GIT_HTTP_PROXY_AUTHMETHOD: "basic",
      },
      caCertificate: change.ca ?? proxy.ca,
      caCertificateContainerPath: "/tmp/onecli-gateway-ca.pem",
    };
  }

  /** The Node that runs the tests comes first on PATH: older ones ignore proxy variables. */
  const current = () => ({ PATH: `${path.dirname(process.execPath)}${path.delimiter}${user.env["PATH"]}` });

  async function report(env = current()) {
    const told = await user.run(["doctor"], { env });
    const findings = Object.fromEntries(told.json.data.map((row) => [String(row["check"]), row]));
    return { exitCode: told.exitCode, findings };
  }

  test("finds everything well, and each tool's call went through the proxy", async () => {
    standIn.answers.gatewayCa = proxy.ca;
    standIn.answers.containerConfig = config();
    const { findings, exitCode } = await report();
    for (const tool of ["curl", "git", "node", "python3"]) {
      expect(findings[tool]).toMatchObject({ result: "ok", proxied: true, trusted: true });
    }
    expect(findings["key"]).toMatchObject({ result: "ok", detail: "works, role admin" });
    expect(findings["proxy"]).toMatchObject({ result: "ok" });
    expect(exitCode).toBe(0);
    expect(proxy.calls).toHaveLength(4);
  });

  test("names tools that do not trust the CA", async () => {
    const stranger = await startStandInProxy(token, "other.test");
    standIn.answers.gatewayCa = stranger.ca;
    standIn.answers.containerConfig = config({ ca: stranger.ca });
    const { findings, exitCode } = await report();
    await stranger.close();
    for (const tool of ["curl", "git", "node", "python3"]) {
      expect(findings[tool]).toMatchObject({ result: "failed", proxied: true, trusted: false });
      expect(findings[tool]?.["detail"]).toContain("does not trust");
    }
    expect(exitCode).toBe(1);
  });

  test("names tools whose token is refused", async () => {
    standIn.answers.gatewayCa = proxy.ca;
    standIn.answers.containerConfig = config({ token: "aoc_old" });
    const { findings } = await report();
    expect(findings["curl"]).toMatchObject({ result: "failed", proxied: false });
    expect(findings["curl"]?.["detail"]).toContain("token refused");
  });

  test("names a tool that goes around the proxy", async () => {
    const { NODE_USE_ENV_PROXY: _, ...env } = config().env;
    standIn.answers.gatewayCa = proxy.ca;
    standIn.answers.containerConfig = { ...config(), env };
    const { findings } = await report();
    expect(findings["node"]).toMatchObject({ result: "failed", proxied: false });
    expect(findings["node"]?.["fix"]).toContain("NODE_USE_ENV_PROXY");
    expect(findings["curl"]).toMatchObject({ result: "ok" });
  });

  test("skips tools that are not installed", async () => {
    standIn.answers.gatewayCa = proxy.ca;
    standIn.answers.containerConfig = config();
    const { findings, exitCode } = await report({ PATH: user.home });
    expect(findings["curl"]).toMatchObject({ result: "skipped", detail: "not installed" });
    expect(exitCode).toBe(0);
  });

  test("stops at what everything else needs", async () => {
    standIn.fail = { status: 401 };
    const { findings, exitCode } = await report();
    expect(findings["gateway"]).toMatchObject({ result: "failed" });
    expect(findings).not.toHaveProperty("curl");
    expect(exitCode).toBe(1);
  });

  test("fails a proxy that lets callers in without a token", async () => {
    standIn.answers.gatewayCa = proxy.ca;
    const open = config();
    const address = `http://x:y@host.docker.internal:${new URL(standIn.url).port}`;
    standIn.answers.containerConfig = { ...open, env: { ...open.env, HTTPS_PROXY: address } };
    const { findings } = await report();
    expect(findings["proxy"]).toMatchObject({ result: "failed" });
    expect(findings).not.toHaveProperty("curl");
  });
});
