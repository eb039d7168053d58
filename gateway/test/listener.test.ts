// One port for proxy, API and dashboard; on other doors the proxy alone; and an end that lets running calls finish.
import { existsSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import type { Duplex } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Answer,
  basic,
  connectTo,
  isWholeAnswer,
  openSecureTunnel,
  openTunnel,
  parseAnswer,
  rawExchange,
  readUntil,
} from "./support/client.ts";
import { startGateway, type TestGateway } from "./support/gateway.ts";
import { startOrigin } from "./support/origin.ts";
import { startGatewayProcess } from "./support/process.ts";
import {
  eventually,
  HOST,
  type Ingress,
  ingresses,
  isClosed,
  messageOn,
  PLAIN_HOST,
  startWorld,
  type World,
} from "./support/world.ts";

async function ask(socket: Duplex, bytes: string): Promise<Answer> {
  socket.write(bytes);
  const text = await readUntil(socket, isWholeAnswer);
  socket.destroy();
  return parseAnswer(text);
}

const connectAt = (options: net.NetConnectOpts): Promise<net.Socket> =>
  new Promise((resolve, reject) => {
    const socket = net.connect(options, () => resolve(socket));
    socket.once("error", reject);
  });

const get = (target: string, host = "localhost", ...fields: string[]) =>
  [`GET ${target} HTTP/1.1`, `Host: ${host}`, ...fields, "", ""].join("\r\n");

describe("the shared port", () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world?.stop());
  const at = async (bytes: string) => parseAnswer(await rawExchange(world.gateway.port, bytes));
  const token = () => `Proxy-Authorization: ${basic(world.agent.token)}`;

  test("serves the API to a target that starts with a slash, and the proxy to one that does not", async () => {
    expect(JSON.parse((await at(get("/v1/health"))).body)).toMatchObject({ status: "ok" });
    const { length } = world.plain.requests;
    expect((await at(get(`http://${PLAIN_HOST}/v1/health`, PLAIN_HOST, token()))).body).toBe("ok");
    expect(world.plain.requests.length).toBe(length + 1);
  });

  test.each(["/v1/agents", "/api/agents"])("never serves %s to an absolute target", async (target) => {
    const admin = `Authorization: Bearer ${world.gateway.apiKey}`;
    const own = `127.0.0.1:${world.gateway.port}`;
    for (const host of ["localhost", own]) {
      expect((await at(get(`http://${host}${target}`, host, admin))).status).toBe(407);
      expect((await at(get(`http://${host}${target}`, host, admin, token()))).status).toBe(403);
    }
  });

  test("serves no call of an agent to a target that starts with a slash", async () => {
    const { length } = world.plain.requests;
    expect((await at(get("/", PLAIN_HOST, token()))).status).not.toBe(200);
    expect((await at(get(`//${PLAIN_HOST}/`, "localhost", token()))).status).not.toBe(200);
    expect(world.plain.requests.length).toBe(length);
  });

  test.each([
    ["localhost", 200],
    ["127.0.0.1", 200],
    ["[::1]", 200],
    ["LOCALHOST", 200],
    ["evil.test", 403],
    ["localhost.evil.test", 403],
    ["", 403],
  ])("answers the API under the Host %j with %i", async (host, status) => {
    const { port } = world.gateway;
    const admin = `Authorization: Bearer ${world.gateway.apiKey}`;
    const answer = await at(get("/v1/agents", host === "" ? "" : `${host}:${port}`, admin));
    if (status === 200) expect(answer.status).toBe(200);
    else expect(answer.status).toBeGreaterThanOrEqual(400);
  });

  test.each(["/healthz", "/readyz"])("%s needs no key", async (target) => {
    expect(await at(get(target))).toMatchObject({ status: 200, body: '{"status":"ok"}' });
  });

  test("/readyz says no while the gateway stops; /healthz still yes", async () => {
    const { plane } = world.gateway.gateway;
    plane.stopping = true;
    const ready = await at(get("/readyz"));
    const healthy = await at(get("/healthz"));
    plane.stopping = false;
    expect([ready.status, healthy.status]).toEqual([503, 200]);
  });

  test("metrics count calls and refusals and name no host, path, agent or secret", async () => {
    await at(get(`http://${PLAIN_HOST}/counted-path`, PLAIN_HOST, token()));
    await at(get("http://10.0.0.1/refused-path", "10.0.0.1", token()));
    const { status, body } = await at(
      get("/v1/metrics", "localhost", `Authorization: Bearer ${world.gateway.apiKey}`),
    );
    const text =
      status === 200
        ? body
        : (await at(get("/metrics", "localhost", `Authorization: Bearer ${world.gateway.apiKey}`))).body;
    expect(text).toMatch(/^onecli_exchanges_total [1-9]/m);
    expect(text).toMatch(/^onecli_refusals_total\{code="destination_not_allowed"\} [1-9]/m);
    for (const name of [PLAIN_HOST, HOST, "counted-path", "refused-path", "worker"])
      expect(text).not.toContain(name);
  });
});

describe("an admin port of its own", () => {
  const address = Object.values(os.networkInterfaces())
    .flat()
    .find((found) => found?.family === "IPv4" && !found.internal)?.address;

  test("serves API and dashboard, and the proxy's port the proxy alone", async () => {
    const world = await startWorld({ env: { ONECLI_ADMIN_PORT: "0" } });
    const { gateway } = world.gateway;
    expect(gateway.adminPort).not.toBe(gateway.port);
    const proxyOnly = await ask(await connectTo(gateway.port), get("/v1/health"));
    expect(proxyOnly.status).toBe(404);
    expect(proxyOnly.body).not.toContain("ok");
    expect((await ask(await connectTo(gateway.adminPort), get("/v1/health"))).status).toBe(200);
    for (const target of ["/", "/v1/agents", "/healthz", "/readyz", "/metrics", "/dashboard"])
      expect((await ask(await connectTo(gateway.port), get(target))).status).toBe(404);
    const proxied = get(
      `http://${PLAIN_HOST}/`,
      PLAIN_HOST,
      `Proxy-Authorization: ${basic(world.agent.token)}`,
    );
    expect((await ask(await connectTo(gateway.port), proxied)).status).toBe(200);
    await world.stop();
  });

  test.skipIf(address === undefined)("answers on loopback alone", async () => {
    const gateway = await startGateway({
      env: { ONECLI_ADMIN_PORT: "0", ONECLI_BIND_HOST: `127.0.0.1,${address}` },
    });
    await expect(connectAt({ host: address ?? "", port: gateway.gateway.adminPort })).rejects.toThrow(
      "ECONNREFUSED",
    );
    expect(
      (await ask(await connectAt({ host: address ?? "", port: gateway.port }), get("/v1/health"))).status,
    ).toBe(404);
    await gateway.stop();
  });
});

describe("a unix socket", () => {
  const dir = mkdtempSync(path.join(os.tmpdir(), "onecli-sock-"));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  test("serves the proxy and nothing else, and is gone afterwards", async () => {
    const file = path.join(dir, "proxy.sock");
    const world = await startWorld({ env: { ONECLI_SOCKET: file } });
    expect(statSync(file).isSocket()).toBe(true);
    for (const target of ["/", "/v1/health", "/v1/agents", "/healthz", "/metrics"])
      expect((await ask(await connectAt({ path: file }), get(target))).status).toBe(404);
    const token = `Proxy-Authorization: ${basic(world.agent.token)}`;
    expect(
      (await ask(await connectAt({ path: file }), get(`http://${PLAIN_HOST}/`, PLAIN_HOST, token))).status,
    ).toBe(200);
    expect(
      (await ask(await connectAt({ path: file }), get(`http://${PLAIN_HOST}/`, PLAIN_HOST))).status,
    ).toBe(407);
    const socket = await connectAt({ path: file });
    socket.write(`CONNECT ${HOST}:443 HTTP/1.1\r\nHost: ${HOST}:443\r\n${token}\r\n\r\n`);
    expect(await readUntil(socket, (text) => text.includes("\r\n\r\n"))).toMatch(/^HTTP\/1\.1 200 /);
    socket.destroy();
    await world.stop();
    expect(existsSync(file)).toBe(false);
  });

  test("takes the place of one that a killed process left", async () => {
    const file = path.join(dir, "stale.sock");
    const left = net.createServer();
    await new Promise<void>((done) => left.listen(file, done));
    // What a kill leaves behind: the file, and nobody who listens.
    renameSync(file, `${file}.kept`);
    await new Promise((done) => left.close(done));
    renameSync(`${file}.kept`, file);
    const gateway = await startGateway({ env: { ONECLI_SOCKET: file } });
    expect((await ask(await connectAt({ path: file }), get("/"))).status).toBe(404);
    await gateway.stop();
  });

  test.each([
    ["a file that is no socket", (file: string) => writeFileSync(file, "mine")],
    [
      "a socket that another process listens on",
      (file: string) => {
        const server = net.createServer();
        server.listen(file);
        server.unref();
      },
    ],
  ])("does not take the place of %s", async (_, make) => {
    const file = path.join(dir, `taken-${Math.random()}.sock`);
    make(file);
    await eventually(() => existsSync(file));
    await expect(startGateway({ env: { ONECLI_SOCKET: file } })).rejects.toThrow("ONECLI_SOCKET");
    expect(existsSync(file)).toBe(true);
  });
});

describe("an orderly stop", () => {
  const inPlain = ingresses[1] as Ingress;

  test("lets a running call end, refuses new ones, closes idle tunnels, and then everything", async () => {
    const world = await startWorld();
    let finish = () => {};
    world.plain.handle((request, response) => {
      if (request.url !== "/running") return response.end("ok");
      response.writeHead(200);
      response.write("first ");
      finish = () => response.end("last");
      return undefined;
    });
    const running = await inPlain.open(world.via);
    running.write(messageOn(inPlain, world.via, { path: "/running" }));
    await readUntil(running, (text) => text.includes("first"));
    const [warm, absolute, { socket: unused }] = await Promise.all([
      inPlain.open(world.via),
      connectTo(world.gateway.port),
      openTunnel(world.via, `${HOST}:443`),
    ]);
    warm.write(messageOn(inPlain, world.via));
    expect(parseAnswer(await readUntil(warm, isWholeAnswer)).status).toBe(200);

    const stopped = world.gateway.gateway.stop();
    expect(await isClosed(unused, 1_000)).toBe(true);
    await expect(connectTo(world.gateway.port)).rejects.toThrow("ECONNREFUSED");
    warm.write(messageOn(inPlain, world.via));
    expect(parseAnswer(await readUntil(warm, isWholeAnswer))).toMatchObject({
      status: 503,
      fields: { "retry-after": "1", connection: "close" },
    });
    expect(await isClosed(absolute, 1_000)).toBe(true);
    const rest = readUntil(running);
    finish();
    expect(await rest).toContain("last");
    await stopped;
    expect(await eventually(() => world.gateway.gateway.plane.live.tunnels.size === 0)).toBe(true);
    await Promise.all([world.origin.close(), world.plain.close()]);
    rmSync(world.gateway.dataDir, { recursive: true, force: true });
  });

  test("asked for twice is one stop", async () => {
    const gateway: TestGateway = await startGateway();
    const first = gateway.gateway.stop();
    expect(gateway.gateway.stop()).toBe(first);
    await first;
    await gateway.stop();
  });
});

describe("a signal to the process", () => {
  test.each([
    ["once: it waits for the running call", 1, 0],
    ["twice: it stops at once", 2, 1],
  ])("%s", async (_, signals, code) => {
    const origin = await startOrigin({ tls: true, names: [HOST] });
    let finish = () => {};
    origin.handle((_request, response) => {
      response.write("first ");
      finish = () => response.end("last");
    });
    const gateway = await startGatewayProcess({ origins: { [HOST]: { port: origin.port, ca: origin.ca } } });
    const { token } = await gateway.agent("worker");
    const running = await openSecureTunnel({ port: gateway.port, token }, `${HOST}:443`);
    running.on("error", () => {});
    running.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
    await readUntil(running, (text) => text.includes("first"));
    const rest = readUntil(running, isWholeAnswer);
    for (let sent = 1; sent < signals; sent += 1) {
      process.kill(gateway.pid, "SIGTERM");
      await eventually(() => gateway.output.includes("stopping"));
    }
    const ended = gateway.kill("SIGTERM");
    if (signals === 1) {
      await eventually(() => gateway.output.includes("stopping"));
      finish();
      expect(await rest).toContain("last");
    } else expect(await rest).not.toContain("last");
    expect(await ended).toEqual({ code, signal: null });
    await gateway.close();
    await origin.close();
  });
});
