// curl, Node and Python as agents run them: wired by container-config or by `onecli run`, each call checked at the
// origin and in the audit (a NO_PROXY that matched would send a client past the gateway unnoticed).
import { randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { type Origin, startOrigin } from "../support/origin.ts";
import { bigBody, digestOf, startWebOrigin, type WebOrigin } from "../support/web-origin.ts";
import {
  type Environment,
  type Program,
  programs,
  run,
  throughOnecli,
  wiredEnvironment,
  withoutTrust,
  withWrongToken,
} from "./programs.ts";

const HOST = "api.demo.test";
const OTHER = "other.demo.test";
const PLAIN = "plain.demo.test";
const REAL_KEY = `real-key-${randomUUID()}`;
const BIG_BYTES = 5 * 1024 * 1024;

let origin: WebOrigin;
let plain: Origin;
let gateway: TestGateway;
let env: Environment;
let bigFile: string;

beforeAll(async () => {
  origin = await startWebOrigin({ names: [HOST, OTHER] });
  plain = await startOrigin({ tls: false });
  gateway = await startGateway({
    origins: {
      [HOST]: { port: origin.port, ca: origin.ca },
      [OTHER]: { port: origin.port },
      [PLAIN]: { port: plain.port, asPort: 80 },
    },
  });
  await gateway.agent("worker");
  await gateway.secret({
    name: "Demo key",
    type: "generic",
    value: REAL_KEY,
    hostPattern: HOST,
    injectionConfig: { headerName: "Authorization", valueFormat: "Bearer {value}" },
    envName: "DEMO_API_KEY",
  });
  await gateway.rule({ name: "No deletions", hostPattern: HOST, method: "DELETE", action: "block" });
  env = await wiredEnvironment(gateway, "worker");
  bigFile = path.join(gateway.dataDir, "big.bin");
  writeFileSync(bigFile, bigBody(BIG_BYTES));
});
afterAll(async () => {
  await gateway?.stop();
  await origin?.close();
  await plain?.close();
});

const unique = (page: string) => `/${page}/${randomUUID()}`;
const visitsOf = (target: string) => origin.visits.filter(({ url }) => url === target);

/** The rows of a path: openings with the closing that belongs to each, and refusals. */
async function onRecord(target: string) {
  const rows = await gateway.audit();
  const closings = new Map(
    rows.filter(({ type }) => type === "close").map((row) => [row["exchangeId"], row]),
  );
  return rows
    .filter((row) => row["path"] === target)
    .map((row) => ({ ...row, closing: closings.get(row["exchangeId"]) ?? null }));
}

test("the programs that decide about a change are there where it is decided", () => {
  const missing = programs.filter(({ installed }) => !installed);
  for (const { name } of missing) console.log(`skipped: ${name} is not installed`);
  const deciding = process.env["CI"] === "true";
  expect(missing.filter(({ required }) => required && deciding)).toEqual([]);
});

describe.each(programs.filter(({ installed }) => installed))(
  "$name behind the gateway",
  (program: Program) => {
    test("holds a fake key, and the origin gets the real one", async () => {
      const target = unique("plain");
      const ran = await run(program.command("GET", [`https://${HOST}${target}`]), env);
      expect(ran).toMatchObject({ code: 0, statuses: [200] });
      expect(ran.stdout.toString()).toBe("plain page\n");
      expect(env["DEMO_API_KEY"]).not.toContain(REAL_KEY);
      expect(visitsOf(target)).toMatchObject([{ authorization: `Bearer ${REAL_KEY}` }]);
      expect(await onRecord(target)).toMatchObject([
        { type: "open", agent: "worker", method: "GET", secrets: ["Demo key"], closing: { status: 200 } },
      ]);
    });

    test("does the same when it is started by onecli run", async () => {
      const target = unique("plain");
      const cli = throughOnecli(gateway, "worker");
      const ran = await run([...cli.argv, ...program.command("GET", [`https://${HOST}${target}`])], cli.env);
      expect(ran).toMatchObject({ code: 0, statuses: [200] });
      expect(visitsOf(target)).toMatchObject([{ authorization: `Bearer ${REAL_KEY}` }]);
      expect(await onRecord(target)).toMatchObject([{ type: "open", agent: "worker" }]);
    });

    test("can read why a call is refused", async () => {
      const target = unique("plain");
      const ran = await run(program.command("DELETE", [`https://${HOST}${target}`]), env);
      expect(ran.statuses).toEqual([403]);
      expect(JSON.parse(ran.stdout.toString())).toMatchObject({
        error: "blocked_by_policy",
        rule_name: "No deletions",
      });
      expect(visitsOf(target)).toEqual([]);
      expect(await onRecord(target)).toMatchObject([{ type: "refusal", status: 403 }]);
    });

    test("gets the first event of a stream before the last is sent", async () => {
      const target = unique("stream");
      let whenFirst = "";
      const ran = await run(program.command("GET", [`https://${HOST}${target}`]), env, {
        onOutput: (soFar) => {
          if (whenFirst !== "") return;
          whenFirst = soFar;
          origin.finishStreams();
        },
      });
      expect(whenFirst).toBe("data: first\n\n");
      expect(ran.stdout.toString()).toBe("data: first\n\ndata: last\n\n");
      expect(await onRecord(target)).toMatchObject([{ closing: { outcome: "complete" } }]);
    });

    test("downloads 5 MB byte for byte", async () => {
      const target = `/big/${BIG_BYTES}/${randomUUID()}`;
      const ran = await run(program.command("GET", [`https://${HOST}${target}`]), env);
      expect(ran.statuses).toEqual([200]);
      expect(digestOf(ran.stdout)).toBe(digestOf(bigBody(BIG_BYTES)));
      expect(await onRecord(target)).toMatchObject([{ closing: { responseBytes: BIG_BYTES } }]);
    });

    test("uploads 5 MB byte for byte", async () => {
      const target = unique("upload");
      const ran = await run(program.command("POST", [`https://${HOST}${target}`], bigFile), env);
      expect(ran).toMatchObject({ code: 0, statuses: [200] });
      expect(visitsOf(target)).toMatchObject([
        { bodyBytes: BIG_BYTES, bodyDigest: digestOf(bigBody(BIG_BYTES)), expect: null },
      ]);
      expect(await onRecord(target)).toMatchObject([
        { method: "POST", closing: { requestBytes: BIG_BYTES } },
      ]);
    });

    test("gets an answer to HEAD, and no body", async () => {
      const target = unique("plain");
      const ran = await run(program.command("HEAD", [`https://${HOST}${target}`]), env);
      expect(ran).toMatchObject({ code: 0, statuses: [200] });
      expect(ran.stdout.toString()).not.toContain("plain page");
      expect(visitsOf(target)).toMatchObject([{ method: "HEAD", authorization: `Bearer ${REAL_KEY}` }]);
      expect(await onRecord(target)).toMatchObject([{ method: "HEAD", closing: { outcome: "complete" } }]);
    });

    test("follows a redirect itself, and each step is a call of its own", async () => {
      const [page, target] = [unique("redirect"), unique("plain")];
      const next = encodeURIComponent(`https://${HOST}${target}`);
      const ran = await run(program.command("GET", [`https://${HOST}${page}?${next}`]), env);
      expect(ran.statuses).toEqual([program.followsRedirects ? 200 : 302]);
      expect(await onRecord(page)).toMatchObject([{ type: "open", closing: { status: 302 } }]);
      expect(await onRecord(target)).toHaveLength(program.followsRedirects ? 1 : 0);
    });

    test("is never led to another host with the real key", async () => {
      const [page, target] = [unique("redirect"), unique("plain")];
      const next = encodeURIComponent(`https://${OTHER}${target}`);
      await run(program.command("GET", [`https://${HOST}${page}?${next}`]), env);
      for (const { authorization } of visitsOf(target)) expect(authorization).toBe(null);
      expect(await onRecord(target)).toHaveLength(program.followsRedirects ? 1 : 0);
    });

    test.each([
      ["and is refused with its fake key, which has no place there", undefined, 403],
      ["and gets through with a key of its own", "its-own-key", 200],
    ])("goes through the gateway on http:// too, %s", async (_, key, status) => {
      const target = unique("plain");
      const own = key === undefined ? env : { ...env, DEMO_API_KEY: key };
      const ran = await run(program.command("GET", [`http://${PLAIN}${target}`]), own);
      expect(ran.statuses).toEqual([status]);
      const seen = plain.requests.filter(({ url }) => url === target);
      expect(seen).toHaveLength(status === 200 ? 1 : 0);
      expect(JSON.stringify(seen)).not.toContain(REAL_KEY);
      expect(await onRecord(target)).toMatchObject([{ type: status === 200 ? "open" : "refusal" }]);
    });

    test("reaches nothing with a wrong token", async () => {
      const target = unique("plain");
      const ran = await run(program.command("GET", [`https://${HOST}${target}`]), withWrongToken(env));
      expect(ran.code).not.toBe(0);
      expect(ran.stderr).toMatch(/407/);
      expect(visitsOf(target)).toEqual([]);
      expect(await onRecord(target)).toEqual([]);
    });

    test("does not trust the gateway without its CA", async () => {
      const target = unique("plain");
      const ran = await run(program.command("GET", [`https://${HOST}${target}`]), withoutTrust(env));
      expect(ran.code).not.toBe(0);
      expect(ran.stderr).toMatch(/certificate|unable to get local issuer|self.signed/i);
      expect(visitsOf(target)).toEqual([]);
      expect(await onRecord(target)).toEqual([]);
    });

    test.runIf(program.reusesConnections)("makes several calls over one tunnel", async () => {
      const targets = Array.from({ length: 6 }, () => unique("plain"));
      const { traffic } = gateway.gateway.plane;
      const before = traffic.tunnels;
      const urls = targets.map((target) => `https://${HOST}${target}`);
      expect((await run(program.command("GET", urls), env)).statuses).toEqual(urls.map(() => 200));
      // undici opens a second one when the next call comes in the turn in which the last one ended.
      expect(traffic.tunnels - before).toBeLessThanOrEqual(2);
      for (const target of targets) expect(await onRecord(target)).toMatchObject([{ type: "open" }]);
    });
  },
);

describe("curl", () => {
  const curl = (...args: string[]) =>
    run(["curl", "-sS", "-w", "%{stderr}status %{http_code}\\n", ...args], env);

  test("waits for the gateway's word before it sends a big body, and only then sends it", async () => {
    const target = unique("upload");
    const ran = await curl("-v", "--data-binary", `@${bigFile}`, `https://${HOST}${target}`);
    expect(ran.stderr).toMatch(/> Expect: 100-continue[\s\S]*< HTTP\/1.1 100 Continue[\s\S]*< HTTP\/1.1 200/);
    expect(visitsOf(target)).toMatchObject([{ bodyBytes: BIG_BYTES, expect: null }]);
  });

  test("does not send a big body that is refused", async () => {
    const target = unique("upload");
    const ran = await curl("-v", "-X", "DELETE", "--data-binary", `@${bigFile}`, `https://${HOST}${target}`);
    expect(ran.statuses).toEqual([403]);
    expect(ran.stderr).not.toContain("100 Continue");
    expect(visitsOf(target)).toEqual([]);
  });

  test("finds its way by -x and --cacert alone", async () => {
    const target = unique("plain");
    const plain = { PATH: env["PATH"] ?? "", HOME: env["HOME"] ?? "" };
    const way = ["-x", env["HTTPS_PROXY"] ?? "", "--cacert", gateway.caFile];
    const ran = await run(["curl", "-sS", ...way, `https://${HOST}${target}`], plain);
    expect(ran).toMatchObject({ code: 0 });
    expect(visitsOf(target)).toMatchObject([{ authorization: `Bearer ${REAL_KEY}` }]);
    expect(await onRecord(target)).toMatchObject([{ type: "open", agent: "worker" }]);
  });

  test("shows that the fake key is worth nothing without the gateway", async () => {
    const target = unique("plain");
    const direct = ["--noproxy", "*", "--resolve", `${HOST}:${origin.port}:127.0.0.1`, "-k"];
    const key = `Authorization: Bearer ${env["DEMO_API_KEY"]}`;
    await curl(...direct, "-H", key, `https://${HOST}:${origin.port}${target}`);
    expect(visitsOf(target)).toMatchObject([{ authorization: `Bearer ${env["DEMO_API_KEY"]}` }]);
    expect(await onRecord(target)).toEqual([]);
  });
});
