// Runs the published SDKs and ours against one server and compares what they do.
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { OneCLI as Published22 } from "@onecli-sh/sdk";
import { OneCLI as Published05 } from "@onecli-sh/sdk-0.5";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { OneCLI } from "../src/index.ts";
import { ADMIN_KEY, exampleConfig, type StandIn, startStandIn } from "./support/stand-in.ts";

let standIn: StandIn;
let directory: string;

beforeAll(async () => {
  standIn = await startStandIn();
  directory = mkdtempSync(path.join(tmpdir(), "onecli-sdk-"));
});
afterEach(() => {
  standIn.fail = undefined;
  delete standIn.answers.containerConfig;
});
afterAll(async () => {
  await standIn.close();
  rmSync(directory, { recursive: true });
});

function clients() {
  const options = { url: standIn.url, apiKey: ADMIN_KEY };
  return {
    ours: new OneCLI({ ...options, filesDirectory: path.join(directory, "mounts") }),
    published22: new Published22(options),
    published05: new Published05(options),
  };
}

/** The host's side of each mount differs on purpose. */
function withoutSources(args: string[]): string[] {
  return args.map((arg) => arg.replace(/^[^:]*:(\/[^:]+:ro)$/, "SOURCE:$1"));
}

describe("docker arguments", () => {
  test.each([
    ["by default", {}],
    ["without the combined bundle", { combineCaBundle: false }],
    ["without the host mapping", { addHostMapping: false }],
    ["with neither", { combineCaBundle: false, addHostMapping: false }],
  ])("are those of the published SDK 2.2, in its order, %s", async (_, options) => {
    const { ours, published22 } = clients();
    const [mine, theirs] = [["run"], ["run"]];
    expect(await ours.applyContainerConfig(mine, options)).toBe(true);
    expect(await published22.applyContainerConfig(theirs, options)).toBe(true);
    expect(withoutSources(mine)).toEqual(withoutSources(theirs));
  });

  test("are those of the published SDK 0.5 where there are no stubs", async () => {
    const { credentialStubs: _, ...config } = exampleConfig;
    standIn.answers.containerConfig = config;
    const { ours, published05 } = clients();
    const [mine, theirs]: [string[], string[]] = [[], []];
    await ours.applyContainerConfig(mine);
    await published05.applyContainerConfig(theirs);
    expect(withoutSources(mine)).toEqual(withoutSources(theirs));
  });

  test("mount one file each for two stubs of the same name", async () => {
    const args: string[] = [];
    await clients().ours.applyContainerConfig(args);
    const sources = args.filter((arg) => arg.includes("auth.json:ro")).map((arg) => arg.split(":")[0]);
    expect(new Set(sources).size).toBe(2);
  });

  test("name files in a directory that only this user can enter", async () => {
    await clients().ours.applyContainerConfig([]);
    const mounts = path.join(directory, "mounts");
    expect(statSync(mounts).mode & 0o777).toBe(0o700);
    for (const file of readdirSync(mounts))
      expect(statSync(path.join(mounts, file)).mode & 0o777).toBe(0o644);
  });
});

describe("an answer that is no configuration", () => {
  test.each([
    [400, "throws"],
    [401, "throws"],
    [404, "throws"],
    [429, "throws"],
    [301, false],
    [500, false],
    [503, false],
    [200, false],
  ])("of status %i: %s, as in the published SDK 2.2, and nothing is pushed", async (status, outcome) => {
    standIn.fail = { status, body: "not a configuration" };
    for (const client of [clients().ours, clients().published22]) {
      const args = ["run"];
      const applied = await client.applyContainerConfig(args).catch((error: Error) => error);
      if (outcome === "throws")
        expect(applied).toMatchObject({ name: "OneCLIRequestError", statusCode: status });
      else expect(applied).toBe(false);
      expect(args).toEqual(["run"]);
    }
  });

  test("for want of a gateway: false", async () => {
    const args = ["run"];
    const client = new OneCLI({ url: "http://127.0.0.1:1", filesDirectory: directory });
    expect(await client.applyContainerConfig(args)).toBe(false);
    expect(args).toEqual(["run"]);
  });
});

describe("an agent", () => {
  test("is created by ours and found by the published SDK, and the other way round", async () => {
    const { ours, published22, published05 } = clients();
    const first = { name: "One", identifier: "one" };
    const second = { name: "Two", identifier: "two" };
    expect(await ours.ensureAgent(first)).toEqual({ ...first, created: true });
    expect(await published22.ensureAgent(first)).toEqual({ ...first, created: false });
    expect(await published05.ensureAgent(second)).toEqual({ ...second, created: true });
    expect(await ours.ensureAgent(second)).toEqual({ ...second, created: false });
  });

  test("that exists already is an error when created", async () => {
    const { ours, published22 } = clients();
    const input = { name: "Three", identifier: "three" };
    await ours.createAgent(input);
    await expect(ours.createAgent(input)).rejects.toMatchObject({ statusCode: 409 });
    await expect(published22.createAgent(input)).rejects.toMatchObject({ statusCode: 409 });
  });
});

test("provisioning is refused with an OneCLIError by both", async () => {
  const { ours, published22 } = clients();
  await expect(ours.provisionProject()).rejects.toMatchObject({ name: "OneCLIError" });
  await expect(published22.provisionProject()).rejects.toMatchObject({ name: "OneCLIError" });
});

test("the skill is the same text for both", async () => {
  const { ours, published22 } = clients();
  expect(await ours.getGatewaySkill()).toBe(await published22.getGatewaySkill());
});
