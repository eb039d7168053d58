// What containers and programs get: mounts, dockerode options, a child's environment, private files.
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { childEnvironment, OneCLI, privateFile, withheldVariables } from "../src/index.ts";
import { ADMIN_KEY, exampleConfig, type StandIn, startStandIn } from "./support/stand-in.ts";

let standIn: StandIn;
let directory: string;
let client: OneCLI;

beforeAll(async () => {
  standIn = await startStandIn();
});
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), "onecli-wiring-"));
  client = new OneCLI({
    url: standIn.url,
    apiKey: ADMIN_KEY,
    filesDirectory: path.join(directory, "mounts"),
  });
});
afterEach(() => {
  delete standIn.answers.containerConfig;
  standIn.fail = undefined;
  rmSync(directory, { recursive: true });
});
afterAll(() => standIn.close());

describe("dockerode's create options", () => {
  const given = {
    Image: "agent",
    Env: ["KEEP=1", "ANTHROPIC_API_KEY=real"],
    HostConfig: { Binds: ["/a:/b"], ExtraHosts: ["db:10.0.0.1"], Memory: 7 },
  };

  test("gain environment, mounts and the host, and lose real keys that a fake one replaces", async () => {
    const options = await client.applyContainerConfigToCreateOptions(given);
    expect(options).toMatchObject({ Image: "agent", HostConfig: { Memory: 7 } });
    expect(options?.Env).toEqual(expect.arrayContaining(["KEEP=1", "ANTHROPIC_API_KEY=placeholder"]));
    expect(options?.Env).not.toContain("ANTHROPIC_API_KEY=real");
    expect(options?.HostConfig.Binds[0]).toBe("/a:/b");
    expect(options?.HostConfig.ExtraHosts).toContain("db:10.0.0.1");
  });

  test("hold each variable once, with the value docker's arguments would end up with", async () => {
    const args: string[] = [];
    await client.applyContainerConfig(args);
    const flags = args.flatMap((arg, i) => (args[i - 1] === "-e" ? [arg.split(/=(.*)/s)] : []));
    const last = Object.fromEntries(flags.map(([name, value]) => [name, value]));
    const options = await client.applyContainerConfigToCreateOptions({ Env: [] as string[] });
    expect(Object.fromEntries(options?.Env.map((entry) => entry.split(/=(.*)/s).slice(0, 2)) ?? [])).toEqual(
      last,
    );
    expect(options?.Env).toHaveLength(Object.keys(last).length);
  });

  test("given by the caller stay as they are", async () => {
    const before = structuredClone(given);
    await client.applyContainerConfigToCreateOptions(given);
    expect(given).toEqual(before);
  });

  test("that map the host already keep their mapping", async () => {
    const ExtraHosts = ["host.docker.internal:10.1.1.1"];
    const options = await client.applyContainerConfigToCreateOptions({ HostConfig: { ExtraHosts } });
    expect(options?.HostConfig.ExtraHosts).toEqual(ExtraHosts);
  });

  test("are undefined when the gateway fails, and a refusal is thrown", async () => {
    standIn.fail = { status: 500 };
    expect(await client.applyContainerConfigToCreateOptions({})).toBeUndefined();
    standIn.fail = { status: 404 };
    await expect(client.applyContainerConfigToCreateOptions({})).rejects.toMatchObject({ statusCode: 404 });
  });
});

describe("a configuration that would reach beyond its mounts and variables", () => {
  test.each([
    ["a target with mount options", { caCertificateContainerPath: "/ca.pem:rw" }],
    ["a relative target", { caCertificateContainerPath: "ca.pem" }],
    ["a stub with another target", { credentialStubs: [{ containerPath: "/a:/b", content: "" }] }],
    ["a variable with a border of its own", { env: { "A=B": "c" } }],
    ["a variable that is a flag", { env: { "--privileged": "" } }],
  ])("(%s) is refused, and nothing is pushed", async (_, change) => {
    standIn.answers.containerConfig = { ...exampleConfig, ...change };
    const args = ["run"];
    await expect(client.applyContainerConfig(args)).rejects.toMatchObject({ name: "OneCLIError" });
    expect(args).toEqual(["run"]);
  });
});

describe("a private file", () => {
  const file = (content: string, name = "a.pem") =>
    privateFile(path.join(directory, "mounts"), { name, content });

  test("is named by its content: the same twice, another for another", async () => {
    expect(await file("one")).toBe(await file("one"));
    expect(await file("one")).not.toBe(await file("two"));
  });

  test("that was changed is written again", async () => {
    const found = await file("one");
    writeFileSync(found, "changed");
    await file("one");
    expect(readFileSync(found, "utf8")).toBe("one");
  });

  test("that is a link is replaced, and what it points to stays", async () => {
    const found = await file("one");
    const victim = path.join(directory, "victim");
    writeFileSync(victim, "untouched");
    rmSync(found);
    symlinkSync(victim, found);
    await file("one");
    expect([readFileSync(found, "utf8"), readFileSync(victim, "utf8")]).toEqual(["one", "untouched"]);
  });

  test("closes its directory to others", async () => {
    mkdirSync(path.join(directory, "mounts"));
    chmodSync(path.join(directory, "mounts"), 0o755);
    await file("one");
    expect(statSync(path.join(directory, "mounts")).mode & 0o777).toBe(0o700);
  });

  test("is not put behind a link", async () => {
    symlinkSync(directory, path.join(directory, "mounts"));
    await expect(file("one")).rejects.toThrow("is not a directory");
  });

  test("stays in its directory whatever its name", async () => {
    expect(path.dirname(await file("x", "../../etc/passwd"))).toBe(path.join(directory, "mounts"));
  });

  test("written by many at once is whole", async () => {
    const written = await Promise.all(Array.from({ length: 20 }, () => file("x".repeat(100_000))));
    expect(new Set(written).size).toBe(1);
    expect(readFileSync(written[0] ?? "", "utf8")).toHaveLength(100_000);
  });
});

describe("a child's environment", () => {
  const files = { caFile: "/h/ca.pem", bundleFile: "/h/bundle.pem", gatewayHost: "gw.example" };

  test("names this host's files and the gateway as this host reaches it", () => {
    expect(childEnvironment(exampleConfig, files)).toMatchObject({
      HTTPS_PROXY: exampleConfig.env.HTTPS_PROXY.replace("host.docker.internal", "gw.example"),
      NODE_EXTRA_CA_CERTS: "/h/ca.pem",
      SSL_CERT_FILE: "/h/bundle.pem",
      REQUESTS_CA_BUNDLE: "/h/bundle.pem",
      SPACED: "a=b c",
    });
  });

  test("keeps a proxy that is not on the container's host", () => {
    const env = { HTTPS_PROXY: "http://x:t@10.0.0.5:10254" };
    expect(childEnvironment({ ...exampleConfig, env }, files)["HTTPS_PROXY"]).toBe(env.HTTPS_PROXY);
  });

  test("loses the roots of single tools, which would win over the ones that know our CA", () => {
    expect(withheldVariables(exampleConfig)).toEqual(
      expect.arrayContaining(["AWS_CA_BUNDLE", "PIP_CERT", "npm_config_cafile"]),
    );
    const env = { ...exampleConfig.env, PIP_CERT: exampleConfig.caCertificateContainerPath };
    expect(withheldVariables({ ...exampleConfig, env })).not.toContain("PIP_CERT");
  });

  test("loses other ways to log in only where a fake key is sent", () => {
    expect(withheldVariables(exampleConfig)).toContain("ANTHROPIC_AUTH_TOKEN");
    expect(withheldVariables({ ...exampleConfig, env: {} })).not.toContain("ANTHROPIC_AUTH_TOKEN");
    expect(withheldVariables({ ...exampleConfig, env: {} })).toContain("ONECLI_API_KEY");
  });
});
