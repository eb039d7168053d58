// Bounds on what is kept and on what is open at once, each reached: the refusal that docs/limits.md tells, and room again
// when something goes. The numbers are small here; the places where they act are the product's.
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { limits } from "../src/limits.ts";
import {
  type Answer,
  basic,
  connectTo,
  openSecureTunnel,
  openTunnel,
  parseAnswer,
  rawExchange,
  readUntil,
  tunnelExchange,
  type Via,
} from "./support/client.ts";
import {
  demoSecret,
  eventually,
  HOST,
  isClosed,
  OPEN_HOST,
  startWorld,
  viaOf,
  type World,
} from "./support/world.ts";

const bounds = limits as Record<keyof typeof limits, number>;
const product = { ...limits };
const names = Array.from({ length: 6 }, (_, at) => `n${at}.demo.test`);

let world: World;
beforeAll(async () => {
  world = await startWorld({ names });
});
afterAll(() => world?.stop());
afterEach(() => {
  Object.assign(bounds, product);
  world.origin.handle((_, response) => response.end("ok"));
});

describe("what is kept", () => {
  const made = async (path: string, body: object): Promise<{ status: number; id: string; error: string }> => {
    const answer = await world.gateway.api("POST", path, body);
    return { status: answer.status, ...(answer.body as { id: string; error: string }) };
  };
  const rule = { name: "r", hostPattern: "x.example.com", action: "allow", enabled: true };
  const secret = {
    name: "s",
    type: "generic",
    value: "a-value-of-some-length",
    injectionConfig: { headerName: "x-key" },
  };

  test.each([
    ["agentsMax", "/v1/agents", (at: number) => ({ name: "a", identifier: `a-${at}` })],
    ["secretsMax", "/v1/secrets", (at: number) => ({ ...secret, hostPattern: `s${at}.example.com` })],
    ["rulesMax", "/v1/rules", () => rule],
    ["apiKeysMax", "/v1/api-keys", () => ({ name: "k", role: "read" })],
  ] as const)("is refused above %s, with the number, until one is deleted", async (bound, path, body) => {
    bounds[bound] = 2;
    let last = await made(path, body(0));
    let kept = last.id;
    for (let at = 1; at < 4 && last.status === 201; at += 1) {
      kept = last.id;
      last = await made(path, body(at));
    }
    expect(last).toMatchObject({ status: 409, error: expect.stringMatching(/^there are 2 .* already/) });
    expect((await world.gateway.api("DELETE", `${path}/${kept}`)).status).toBe(204);
    expect((await made(path, body(9))).status).toBe(201);
  });

  test("is refused above runTokensPerAgentMax for one agent, not for another", async () => {
    bounds.runTokensPerAgentMax = 1;
    const body = { ttlSeconds: 60, labels: {} };
    const other = await world.gateway.agent("with-room");
    const path = `/v1/agents/${world.agent.id}/tokens`;
    expect((await made(path, body)).status).toBe(201);
    expect(await made(path, body)).toMatchObject({
      status: 409,
      error: expect.stringContaining("there are 1"),
    });
    expect((await made(`/v1/agents/${other.id}/tokens`, body)).status).toBe(201);
  });
});

describe("what is open at once", () => {
  test("of all agents together: tunnels above tunnelsMax are answered 503, and room comes back", async () => {
    const { live } = world.gateway.gateway.plane;
    await eventually(() => live.tunnels.size === 0);
    bounds.tunnelsMax = 1;
    const other = viaOf(world.gateway, (await world.gateway.agent("second")).token);
    const held = await openTunnel(world.via, `${HOST}:443`);
    const refused = await openTunnel(other, `${HOST}:443`);
    expect(refused.answer).toMatch(/^HTTP\/1\.1 503 [^]*\r\nretry-after: 1\r\n/i);
    held.socket.destroy();
    await eventually(() => live.tunnels.size === 0);
    const again = await openTunnel(other, `${HOST}:443`);
    expect(again.answer).toMatch(/^HTTP\/1\.1 200 /);
    again.socket.destroy();
  });

  test("of all agents together: calls above exchangesMax are answered 503, and room comes back", async () => {
    bounds.exchangesMax = 1;
    const other = viaOf(world.gateway, (await world.gateway.agent("third")).token);
    world.origin.handle((_, response) => setTimeout(() => response.end("ok"), 300));
    const first = get(world.via, HOST);
    await eventually(() => world.gateway.gateway.plane.live.exchanges.size === 1);
    expect(await get(other, HOST)).toMatchObject({
      status: 503,
      body: expect.stringContaining("overloaded"),
    });
    expect((await first).status).toBe(200);
    expect((await get(other, HOST)).status).toBe(200);
  });

  test("bodies that are held whole above bodiesHeldMax: 503, while others stream", async () => {
    await demoSecret(world.gateway, { injectionConfig: { placeholder: ["body"] } });
    bounds.bodiesHeldMax = 0;
    const post = (host: string) =>
      tunnelExchange(
        world.via,
        `${host}:443`,
        `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`,
      ).then(parseAnswer);
    expect(await post(HOST)).toMatchObject({ status: 503, body: expect.stringContaining("overloaded") });
    expect((await post(OPEN_HOST)).status).toBe(200);
    expect(world.gateway.gateway.plane.live.bodiesHeld).toBe(0);
  });

  test("pools of origins stay within originPoolsMax, whatever the number of hosts", async () => {
    bounds.originPoolsMax = 3;
    const { pools } = world.gateway.gateway.plane;
    for (const name of names) expect((await get(world.via, name)).status).toBe(200);
    expect(pools.size).toBeLessThanOrEqual(3);
    expect((await get(world.via, names[0] ?? "")).status).toBe(200);
  });

  test("a pool that nobody used for originPoolIdleMs is closed, and made anew for the next call", async () => {
    const { pools } = world.gateway.gateway.plane;
    expect((await get(world.via, OPEN_HOST)).status).toBe(200);
    pools.sweep();
    expect(pools.size).toBeGreaterThan(0);
    bounds.originPoolIdleMs = -1;
    expect(await eventually(() => (pools.sweep(), pools.size === 0))).toBe(true);
    expect((await get(world.via, OPEN_HOST)).status).toBe(200);
  });

  test("calls above originConnectionsPerPoolMax wait for a connection, and none fails", async () => {
    bounds.originConnectionsPerPoolMax = 1;
    world.gateway.gateway.plane.pools.closeAgent(world.agent.id);
    let now = 0;
    let most = 0;
    world.origin.handle((_, response) => {
      most = Math.max(most, (now += 1));
      setTimeout(() => ((now -= 1), response.end("ok")), 100);
    });
    const answers = await Promise.all([1, 2, 3].map(() => get(world.via, OPEN_HOST)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(most).toBe(1);
    world.gateway.gateway.plane.pools.closeAgent(world.agent.id);
  });
});

describe("what one call may be", () => {
  test("a target above requestTargetBytesMax is answered 400, one below it passes", async () => {
    bounds.requestTargetBytesMax = 1_000;
    const path = (bytes: number) => `/?${"a".repeat(bytes - 2)}`;
    expect((await get(world.via, HOST, path(limits.requestTargetBytesMax))).status).toBe(200);
    expect((await get(world.via, HOST, path(limits.requestTargetBytesMax + 1))).status).toBe(400);
  });

  test("proxy credentials above proxyCredentialsBytesMax count as none: 407", async () => {
    const connect = (credentials: string) =>
      rawExchange(
        world.gateway.port,
        `CONNECT ${HOST}:443 HTTP/1.1\r\nHost: ${HOST}:443\r\nProxy-Authorization: ${credentials}\r\n\r\n`,
        500,
      );
    const own = basic(world.agent.token);
    const long = `Basic ${Buffer.from(`${"x".repeat(1_024)}:${world.agent.token}`).toString("base64")}`;
    expect(await connect(own)).toMatch(/^HTTP\/1\.1 200 /);
    expect(await connect(long)).toMatch(/^HTTP\/1\.1 407 /);
  });

  test("an origin's header section above originHeaderBytesMax is a 502, one below it passes", async () => {
    const answering = (bytes: number) =>
      world.origin.handle((_, response) =>
        response.writeHead(200, { "x-long": "a".repeat(bytes) }).end("ok"),
      );
    answering(limits.originHeaderBytesMax + 1_024);
    expect((await get(world.via, HOST)).status).toBe(502);
    answering(8_192);
    expect((await get(world.via, HOST)).status).toBe(200);
  });

  test("an answer that stops for originBodyIdleTimeoutMs ends without looking whole", async () => {
    bounds.originBodyIdleTimeoutMs = 500;
    const host = names[5] ?? "";
    world.gateway.gateway.plane.pools.closeAgent(world.agent.id);
    world.origin.handle(
      (_, response) => void response.writeHead(200, { "content-length": "10" }).write("half"),
    );
    const socket = await openSecureTunnel(world.via, `${host}:443`);
    socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    const text = await readUntil(socket, () => false, 5_000);
    expect(text.endsWith("\r\n\r\nhalf")).toBe(true);
    expect(await isClosed(socket, 100)).toBe(true);
  });

  test("a client that says nothing at all is let go, and the next one is served", async () => {
    bounds.clientFirstByteTimeoutMs = 300;
    const { socket } = await openTunnel(world.via, `${HOST}:443`);
    expect(await isClosed(socket, 5_000)).toBe(true);
    const next = await connectTo(world.gateway.port);
    next.destroy();
    expect((await get(world.via, OPEN_HOST)).status).toBe(200);
  });
});

describe("a stop", () => {
  test("waits for running calls no longer than drainTimeoutMs, then cuts them", async () => {
    const own = await startWorld();
    bounds.drainTimeoutMs = 500;
    own.origin.handle((_, response) => void response.writeHead(200).write("half"));
    const socket = await openSecureTunnel(own.via, `${HOST}:443`);
    socket.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
    await readUntil(socket, (text) => text.includes("half"));
    const startedAt = performance.now();
    const closed = isClosed(socket, 10_000);
    await own.stop();
    const took = performance.now() - startedAt;
    expect(await closed).toBe(true);
    expect(took).toBeGreaterThanOrEqual(450);
    expect(took).toBeLessThan(5_000);
  });
});

async function get(via: Via, host: string, path = "/"): Promise<Answer> {
  return parseAnswer(
    await tunnelExchange(via, `${host}:443`, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`),
  );
}
