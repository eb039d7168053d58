// Limits count what is forwarded, are exact under concurrency, and outlive the process.
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Answer,
  isWholeAnswer,
  openSecureTunnel,
  parseAnswer,
  readUntil,
  type Via,
} from "./support/client.ts";
import { HOST, startWorld, viaOf, type World } from "./support/world.ts";

async function call(via: Via, target: string, method = "GET"): Promise<Answer> {
  const socket = await openSecureTunnel(via, `${HOST}:443`);
  socket.write(`${method} ${target} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
  const answer = parseAnswer(await readUntil(socket, isWholeAnswer));
  socket.destroy();
  return answer;
}

const limit = (world: World, name: string, options: Record<string, unknown>) =>
  world.gateway.rule({
    name,
    hostPattern: HOST,
    pathPattern: `/${name}/*`,
    action: "rate_limit",
    rateLimitWindow: "day",
    ...options,
  });

describe("a limit", () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world?.stop());
  const atOrigin = (prefix: string) =>
    world.origin.requests.filter(({ url }) => url.startsWith(prefix)).length;

  test.each(["minute", "hour", "day"])(
    "of 3 a %s lets 3 calls pass and answers 429 to the fourth",
    async (window) => {
      await limit(world, `per-${window}`, { rateLimit: 3, rateLimitWindow: window });
      for (let round = 0; round < 3; round += 1)
        expect((await call(world.via, `/per-${window}/x`)).status).toBe(200);
      const refused = await call(world.via, `/per-${window}/x`);
      expect(refused.status).toBe(429);
      expect(JSON.parse(refused.body)).toMatchObject({ error: "rate_limited", limit: 3, window });
      const seconds = { minute: 60, hour: 3_600, day: 86_400 }[window] ?? 0;
      expect(Number(refused.fields["retry-after"])).toBeGreaterThan(0);
      expect(Number(refused.fields["retry-after"])).toBeLessThanOrEqual(seconds);
      expect(refused.fields).not.toHaveProperty("x-should-retry");
      expect(atOrigin(`/per-${window}/`)).toBe(3);
    },
  );

  test("is shared by every path and spelling that the rule covers, and by no other", async () => {
    await limit(world, "spelled", { rateLimit: 2 });
    expect((await call(world.via, "/spelled/a")).status).toBe(200);
    expect((await call(world.via, "/x/../%73pelled/b")).status).toBe(200);
    expect((await call(world.via, "/spelled/c")).status).toBe(429);
    expect((await call(world.via, "/elsewhere")).status).toBe(200);
  });

  test("is counted for each agent by itself", async () => {
    const { token } = await world.gateway.agent("second");
    await limit(world, "each", { rateLimit: 1 });
    expect((await call(world.via, "/each/x")).status).toBe(200);
    expect((await call(world.via, "/each/x")).status).toBe(429);
    expect((await call(viaOf(world.gateway, token), "/each/x")).status).toBe(200);
  });

  test("does not count what is blocked or refused", async () => {
    await limit(world, "counted", { rateLimit: 1 });
    await world.gateway.rule({
      name: "No deletes",
      hostPattern: HOST,
      pathPattern: "/counted/*",
      method: "DELETE",
      action: "block",
    });
    for (let round = 0; round < 3; round += 1) {
      expect((await call(world.via, "/counted/x", "DELETE")).status).toBe(403);
      expect((await call(world.via, "/counted/%00")).status).toBe(400);
    }
    expect((await call(world.via, "/counted/x")).status).toBe(200);
    expect((await call(world.via, "/counted/x")).status).toBe(429);
  });

  test("lets exactly 10 of 50 concurrent calls reach the origin", async () => {
    await limit(world, "burst", { rateLimit: 10 });
    const sockets = await Promise.all(
      Array.from({ length: 50 }, () => openSecureTunnel(world.via, `${HOST}:443`)),
    );
    const answers = await Promise.all(
      sockets.map(async (socket) => {
        socket.write(`GET /burst/x HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
        return parseAnswer(await readUntil(socket, isWholeAnswer)).status;
      }),
    );
    for (const socket of sockets) socket.destroy();
    expect(answers.filter((status) => status === 200).length).toBe(10);
    expect(answers.filter((status) => status === 429).length).toBe(40);
    expect(atOrigin("/burst/")).toBe(10);
  });

  test("holds for pipelined calls on one connection", async () => {
    await limit(world, "piped", { rateLimit: 2 });
    const socket = await openSecureTunnel(world.via, `${HOST}:443`);
    socket.write(`GET /piped/x HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`.repeat(5));
    const text = await readUntil(socket, (all) => (all.match(/HTTP\/1\.1 /g)?.length ?? 0) === 5);
    socket.destroy();
    expect(text.match(/HTTP\/1\.1 \d{3}/g)?.map((line) => Number(line.slice(9)))).toEqual([
      200, 200, 429, 429, 429,
    ]);
    expect(atOrigin("/piped/")).toBe(2);
  });

  test("names its rule in the record of the refusal, which is one row", async () => {
    await limit(world, "named", { rateLimit: 1 });
    await call(world.via, "/named/x");
    await call(world.via, "/named/y");
    const records = (await world.gateway.audit()).filter(({ path: at }) => at === "/named/y");
    expect(records).toMatchObject([
      { type: "refusal", code: "rate_limited", status: 429, rule: "named", agent: "worker" },
    ]);
  });
});

describe("a restart", () => {
  test("does not give used calls back", async () => {
    const dataDir = mkdtempSync(path.join(os.tmpdir(), "onecli-test-"));
    const apiKey = `oc_${"ab".repeat(32)}`;
    const first = await startWorld({ dataDir, apiKey });
    await limit(first, "kept", { rateLimit: 3 });
    for (let round = 0; round < 2; round += 1) expect((await call(first.via, "/kept/x")).status).toBe(200);
    const { token } = first.agent;
    await first.gateway.stop();
    const second = await startWorld({ dataDir, apiKey, agent: token });
    expect((await call(second.via, "/kept/x")).status).toBe(200);
    expect((await call(second.via, "/kept/x")).status).toBe(429);
    await second.stop();
    await Promise.all([first.origin.close(), first.plain.close()]);
    rmSync(dataDir, { recursive: true, force: true });
  });
});
