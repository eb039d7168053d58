// The published SDKs, unmodified, against a running gateway, and the containers that they would start.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { OneCLI as OneCLI22, OneCLIError as Error22 } from "@onecli-sh/sdk";
import { OneCLI as OneCLI05, OneCLIError as Error05 } from "@onecli-sh/sdk-0.5";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { limits } from "../../src/limits.ts";
import { run } from "../clients/programs.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { startWebOrigin, type WebOrigin } from "../support/web-origin.ts";
import { type Relay, startRelay } from "./relay.ts";

const HOST = "api.demo.test";
const REAL_KEY = "real-key-of-the-published-clients-test";
const CLIENT_TIMEOUT_MS = 5_000;
const WRONG_KEY = `oc_${"0".repeat(64)}`;

let origin: WebOrigin;
let gateway: TestGateway;
let relay: Relay;
let temporary: string;
const before = process.env["TMPDIR"];

beforeAll(async () => {
  // They write files of fixed names into the shared temporary folder.
  temporary = mkdtempSync(path.join(os.tmpdir(), "onecli-published-"));
  process.env["TMPDIR"] = temporary;
  origin = await startWebOrigin({ names: [HOST] });
  gateway = await startGateway({ origins: { [HOST]: { port: origin.port, ca: origin.ca } } });
  relay = await startRelay(gateway.port);
  await gateway.secret({
    name: "Demo key",
    type: "generic",
    value: REAL_KEY,
    hostPattern: HOST,
    injectionConfig: { headerName: "Authorization", valueFormat: "Bearer {value}" },
  });
});
afterAll(async () => {
  if (before === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = before;
  await relay?.close();
  await gateway?.stop();
  await origin?.close();
  rmSync(temporary, { recursive: true, force: true });
});

/** What differs between the versions: names of arguments, and how an unusable configuration is reported. */
const versions = [
  {
    version: "2.2.1",
    prefix: "/v1",
    create: (options: { url: string; apiKey?: string }) => new OneCLI22(options),
    config: (client: OneCLI05 | OneCLI22, agent: string) =>
      (client as OneCLI22).getContainerConfig({ agent }),
    provision: (client: OneCLI05 | OneCLI22) => (client as OneCLI22).provisionProject(),
    Unreachable: Error22,
    throwsOnRefusedConfig: true,
  },
  {
    version: "0.5.0",
    prefix: "/api",
    create: (options: { url: string; apiKey?: string }) => new OneCLI05(options),
    config: (client: OneCLI05 | OneCLI22, agent: string) => (client as OneCLI05).getContainerConfig(agent),
    provision: (client: OneCLI05 | OneCLI22) => (client as OneCLI05).provisionUser(),
    Unreachable: Error05,
    throwsOnRefusedConfig: false,
  },
] as const;

describe.each(versions)("the published SDK $version", (version) => {
  const { prefix, create } = version;
  const identifier = `group-${prefix.slice(1)}`;
  const client = (apiKey: string | undefined = gateway.apiKey) => create({ url: relay.url, apiKey });

  test("makes an agent at the first call and finds it at the second", async () => {
    const input = { name: "Group", identifier };
    expect(await client().ensureAgent(input)).toEqual({ ...input, created: true });
    expect(relay.passed.at(-1)).toMatchObject({ method: "POST", url: `${prefix}/agents`, status: 201 });
    expect(await client().ensureAgent(input)).toEqual({ ...input, created: false });
    expect(relay.passed.at(-1)).toMatchObject({ status: 409 });
  });

  test("creates an agent once, and a second time is an error", async () => {
    const input = { name: "Single", identifier: `${identifier}-single` };
    expect(await client().createAgent(input)).toMatchObject({
      ...input,
      id: expect.any(String) as string,
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as string,
    });
    await expect(client().createAgent(input)).rejects.toMatchObject({ statusCode: 409 });
  });

  test("reads the configuration of its agent's containers", async () => {
    const { env, caCertificate, caCertificateContainerPath } = await version.config(client(), identifier);
    const proxy = new RegExp(`^http://x:aoc_[0-9a-f]{64}@host\\.docker\\.internal:${gateway.port}$`);
    for (const name of ["HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"])
      expect(env[name]).toMatch(proxy);
    expect(env).toMatchObject({ NODE_USE_ENV_PROXY: "1", GIT_HTTP_PROXY_AUTHMETHOD: "basic" });
    expect(caCertificate).toContain(gateway.gateway.plane.authority.certificate.trim());
    expect(env["NODE_EXTRA_CA_CERTS"]).toBe(caCertificateContainerPath);
  });

  test("pushes the docker arguments in the order that launchers know", async () => {
    const args = ["run", "--rm"];
    expect(await client().applyContainerConfig(args, { agent: identifier })).toBe(true);
    const { env, caCertificateContainerPath } = await version.config(client(), identifier);
    const own = Object.entries(env).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
    const ca = ["-v", `${path.join(temporary, "onecli-proxy-ca.pem")}:${caCertificateContainerPath}:ro`];
    const bundle = "/tmp/onecli-combined-ca.pem";
    const combined = path.join(temporary, "onecli-combined-ca.pem");
    const trust = [
      "-e",
      `SSL_CERT_FILE=${bundle}`,
      "-e",
      `DENO_CERT=${bundle}`,
      "-v",
      `${combined}:${bundle}:ro`,
    ];
    const host = process.platform === "linux" ? ["--add-host", "host.docker.internal:host-gateway"] : [];
    const hasRoots = args.some((argument) => argument.startsWith(combined));
    expect(args).toEqual(["run", "--rm", ...own, ...ca, ...(hasRoots ? trust : []), ...host]);
    expect(Object.keys(env).slice(0, 8)).toEqual([
      "HTTPS_PROXY",
      "HTTP_PROXY",
      "https_proxy",
      "http_proxy",
      "NODE_EXTRA_CA_CERTS",
      "NODE_USE_ENV_PROXY",
      "GIT_TERMINAL_PROMPT",
      "GIT_HTTP_PROXY_AUTHMETHOD",
    ]);
  });

  test.runIf(spawnSync("curl", ["--version"]).status === 0)(
    "starts containers whose programs call with the real key without having it",
    async () => {
      const args: string[] = [];
      await client().applyContainerConfig(args, { agent: identifier });
      expect(args.join("\n")).not.toContain(REAL_KEY);
      const target = `/plain/${identifier}`;
      const ran = await run(["curl", "-sS", `https://${HOST}${target}`], insideContainer(args));
      expect(ran).toMatchObject({ code: 0, stderr: "" });
      expect(origin.visits.findLast(({ url }) => url === target)).toMatchObject({
        authorization: `Bearer ${REAL_KEY}`,
      });
      const opened = (await gateway.audit()).filter((row) => row["path"] === target);
      expect(opened).toMatchObject([{ type: "open", agent: identifier, secrets: ["Demo key"] }]);
    },
  );

  test("reads how an agent behaves here", async () => {
    expect(await client().getGatewaySkill()).toMatch(/^---\nname: onecli-gateway\n/);
    expect(relay.passed.at(-1)).toMatchObject({ url: `${prefix}/skill/gateway`, status: 200 });
  });

  test("is told that an agent is unknown", async () => {
    await expect(version.config(client(), "nobody")).rejects.toMatchObject({ statusCode: 404 });
    expect(JSON.parse(relay.passed.at(-1)?.body ?? "")).toMatchObject({
      code: "AGENT_NOT_FOUND",
      agentIdentifier: "nobody",
    });
    await expectNotApplied(client(), "nobody", 404);
  });

  test("without a key is refused everything and changes nothing", async () => {
    const agents = (await gateway.api("GET", "/v1/agents")).body;
    const stranger = create({ url: relay.url, apiKey: "" });
    const denied = { statusCode: 401 };
    await expect(stranger.ensureAgent({ name: "S", identifier: "stranger" })).rejects.toMatchObject(denied);
    await expect(version.config(stranger, identifier)).rejects.toMatchObject(denied);
    await expect(stranger.getGatewaySkill()).rejects.toMatchObject(denied);
    await expectNotApplied(stranger, identifier, 401);
    expect((await gateway.api("GET", "/v1/agents")).body).toEqual(agents);
  });

  test("with an unknown key is refused, and learns it before it gives up", async () => {
    const stranger = create({ url: relay.url, apiKey: WRONG_KEY });
    await expect(stranger.ensureAgent({ name: "S", identifier: "stranger" })).rejects.toMatchObject({
      statusCode: 401,
    });
    await expectNotApplied(stranger, identifier, 401);
    expect(limits.apiAuthFailureDelayMsMax).toBeLessThan(CLIENT_TIMEOUT_MS);
  });

  test("reports a gateway that is not there, and applies nothing", async () => {
    const lost = create({ url: "http://127.0.0.1:1", apiKey: gateway.apiKey });
    await expect(lost.ensureAgent({ name: "A", identifier: "a" })).rejects.toBeInstanceOf(
      version.Unreachable,
    );
    const args = ["run"];
    expect(await lost.applyContainerConfig(args, { agent: identifier })).toBe(false);
    expect(args).toEqual(["run"]);
  });

  test("is told in its own words that provisioning is not offered", async () => {
    await expect(version.provision(client())).rejects.toBeInstanceOf(version.Unreachable);
    expect(relay.passed.at(-1)).toMatchObject({ url: `${prefix}/team/provisions`, status: 404 });
  });

  async function expectNotApplied(refused: OneCLI05 | OneCLI22, agent: string, statusCode: number) {
    const args = ["run"];
    const applied = refused.applyContainerConfig(args, { agent });
    if (version.throwsOnRefusedConfig) await expect(applied).rejects.toMatchObject({ statusCode });
    else expect(await applied).toBe(false);
    expect(args).toEqual(["run"]);
  }
});

describe.each(versions)("approvals by the published SDK $version", ({ prefix, create }) => {
  test("are polled for where gateway-url says; the list is empty, and the gateway's stop ends the wait", async () => {
    const own = await startGateway();
    const watched = await startRelay(own.port);
    const asked: string[] = [];
    const handle = create({ url: watched.url, apiKey: own.apiKey }).configureManualApproval(
      async ({ id }) => {
        asked.push(id);
        return "deny";
      },
    );
    const polls = () => watched.passed.filter(({ url }) => url.startsWith(`${prefix}/approvals/pending`));
    await expect.poll(() => polls().length).toBe(1);
    expect(watched.passed[0]).toMatchObject({ url: `${prefix}/gateway-url`, status: 200 });
    expect(JSON.parse(watched.passed[0]?.body ?? "")).toEqual({ url: watched.url });
    expect(polls()[0]).toMatchObject({ status: null });
    await own.stop();
    await expect.poll(() => polls()[0]?.status).toBe(200);
    expect(JSON.parse(polls()[0]?.body ?? "")).toEqual({ requests: [], timeoutSeconds: 180 });
    handle.stop();
    expect(asked).toEqual([]);
    await watched.close();
  });
});

/** The arguments as a container sees them, with its paths and its host's name translated back to this host. */
function insideContainer(args: readonly string[]): Record<string, string> {
  const after = (flag: string) => args.filter((_, index) => args[index - 1] === flag);
  const mounts = after("-v").map((mount) => mount.split(":"));
  const translate = (value: string) =>
    mounts
      .reduce((text, [source = "", target = ""]) => (text === target ? source : text), value)
      .replace("host.docker.internal", "127.0.0.1");
  const env = after("-e").map((pair) => [
    pair.slice(0, pair.indexOf("=")),
    translate(pair.slice(pair.indexOf("=") + 1)),
  ]);
  expect(readFileSync(mounts[0]?.[0] ?? "", "utf8")).toContain("BEGIN CERTIFICATE");
  return { PATH: process.env["PATH"] ?? "", ...(Object.fromEntries(env) as Record<string, string>) };
}
