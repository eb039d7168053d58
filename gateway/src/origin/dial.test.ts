import { execFile } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { Socket, connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket, TlsOptions } from "node:tls";
import { promisify } from "node:util";
import { afterEach, describe, expect, test, vi } from "vitest";
import { type NameServer, startNameServer } from "../../test/support/name-server.ts";
import { type Origin, type OriginOptions, startOrigin } from "../../test/support/origin.ts";
import { createTestAuthority, testAuthority } from "../../test/support/test-authority.ts";
import { limits } from "../limits.ts";
import type { Authority } from "../target/contract.ts";
import { createAddressGuard } from "./address-guard.ts";
import { DialError } from "./contract.ts";
import { type DialerOptions, createDialer } from "./dial.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Lookup } from "./lookups.ts";
import { createResolver } from "./resolve.ts";

const api: Authority = { host: "api.demo.test", port: 443, kind: "name" };

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function origin(options: Partial<OriginOptions> = {}): Promise<Origin> {
  const started = await startOrigin({ tls: true, names: ["api.demo.test"], ...options });
  cleanups.push(() => started.close());
  return started;
}

async function nameServer(answers: Parameters<typeof startNameServer>[0]): Promise<NameServer> {
  const started = await startNameServer(answers);
  cleanups.push(() => started.close());
  return started;
}

interface Setup extends Partial<DialerOptions> {
  readonly overrides?: string;
  readonly lookup?: Lookup;
  readonly allowPrivate?: string;
  readonly ownAddresses?: readonly Endpoint[];
}

/** A dialer that trusts the test authority, may go where `allowPrivate` says, and remembers the sockets it opened. */
function dialerFor({ overrides = "", lookup, allowPrivate, ownAddresses = [], ...options }: Setup) {
  const opened: Socket[] = [];
  const { connect = connectTcp } = options;
  const dialer = createDialer({
    resolver: createResolver({ overrides, ...(lookup === undefined ? {} : { lookup }) }),
    guard: createAddressGuard({ allowPrivate: allowPrivate ?? "", ownAddresses: () => ownAddresses }),
    extraCa: testAuthority().ca,
    ...options,
    connect: (endpoint) => {
      const socket = (connect as typeof connectTcp)({ host: endpoint.address, ...endpoint });
      opened.push(socket);
      return socket;
    },
  });
  cleanups.push(() => opened.forEach((socket) => socket.destroy()));
  return { dialer, opened };
}

/** `api.demo.test:443` leads to the origin, and may. */
function dialerTo({ port }: Origin, setup: Setup = {}) {
  const overrides = `api.demo.test:443=127.0.0.1:${port}`;
  return dialerFor({ overrides, allowPrivate: "api.demo.test:443", ...setup });
}

async function failureOf(dialing: Promise<unknown>): Promise<DialError> {
  const error: unknown = await dialing.then(
    () => new Error("connected"),
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(DialError);
  return error as DialError;
}

async function get(socket: Socket, host = "api.demo.test"): Promise<string> {
  socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  let answer = "";
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}

async function closed(sockets: readonly Socket[], origin?: Origin): Promise<void> {
  await vi.waitFor(() => {
    expect(sockets.filter((socket) => !socket.destroyed)).toEqual([]);
    expect(origin?.open ?? 0).toBe(0);
  });
}

describe("an origin with a certificate for its name", () => {
  test("is connected to, verified, and speaks HTTP/1.1", async () => {
    const server = await origin();
    const { dialer } = dialerTo(server);
    const socket = (await dialer.dial({ authority: api, secure: true })) as TLSSocket;
    expect(socket.authorized).toBe(true);
    expect(socket.getProtocol()).toBe("TLSv1.3");
    expect(socket.remoteAddress).toBe("127.0.0.1");
    expect(server.receivedBytes).toBe(0);
    expect(await get(socket)).toMatch(/^HTTP\/1.1 200 /);
    expect(server.connections[0]?.serverName).toBe("api.demo.test");
  });

  test("may speak TLS 1.2", async () => {
    const server = await origin({ tlsOptions: { maxVersion: "TLSv1.2" } });
    const socket = await dialerTo(server).dialer.dial({ authority: api, secure: true });
    expect(await get(socket)).toMatch(/^HTTP\/1.1 200 /);
  });

  test("may have a wildcard certificate", async () => {
    const server = await origin({ names: ["*.demo.test"] });
    const socket = await dialerTo(server).dialer.dial({ authority: api, secure: true });
    expect(await get(socket)).toMatch(/^HTTP\/1.1 200 /);
  });

  test("is connected to without TLS when that is asked for", async () => {
    const server = await origin({ tls: false });
    const socket = await dialerTo(server).dialer.dial({ authority: api, secure: false });
    expect(await get(socket)).toMatch(/^HTTP\/1.1 200 /);
  });
});

describe("an origin at a literal address", () => {
  test.each([
    { names: ["127.0.0.1"], verified: true },
    { names: ["127.0.0.2"], verified: false },
    { names: ["api.demo.test"], verified: false },
  ])("whose certificate names $names is verified: $verified", async ({ names, verified }) => {
    const server = await origin({ names });
    const authority: Authority = { host: "127.0.0.1", port: server.port, kind: "ipv4" };
    const { dialer } = dialerFor({ allowPrivate: "127.0.0.1" });
    const dialing = dialer.dial({ authority, secure: true });
    if (verified) expect(await get(await dialing)).toMatch(/^HTTP\/1.1 200 /);
    else expect((await failureOf(dialing)).code).toBe("origin_tls_error");
    expect(server.connections[0]?.serverName ?? null).toBeNull();
  });
});

describe("an origin whose certificate or handshake is not sound", () => {
  const day = 86_400_000;
  const at = (days: number) => new Date(Date.now() + days * day);
  const names = ["api.demo.test"];
  const weakKeys = generateKeyPairSync("rsa", { modulusLength: 1024 });
  const strongKeys = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const issue = (options: object) => testAuthority().issue({ names, ...options });

  test.each<[string, TlsOptions, RegExp]>([
    ["self-signed", issue({ selfSigned: true }), /self-signed/],
    [
      "from an authority that nobody trusts",
      createTestAuthority("Other").issue({ names }),
      /unknown authority/,
    ],
    [
      "from an authority with the trusted one's name but another key",
      createTestAuthority("Test authority").issue({ names }),
      /unknown authority|wrong signature/,
    ],
    ["for another name", issue({ names: ["other.demo.test"] }), /another name/],
    ["for a name below", issue({ names: ["x.api.demo.test"] }), /another name/],
    ["for its address only", issue({ names: ["127.0.0.1"] }), /another name/],
    ["expired", issue({ notBefore: at(-9), notAfter: at(-1) }), /expired/],
    ["not valid yet", issue({ notBefore: at(1), notAfter: at(9) }), /not valid yet/],
    [
      "with an RSA key of 1024 bits",
      { ...issue({ keys: weakKeys }), ciphers: "DEFAULT@SECLEVEL=0" },
      /too weak/,
    ],
    [
      "with TLS 1.1 only",
      { ...issue({}), minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" },
      /TLS version/,
    ],
    [
      "with a cipher without authentication only",
      { ...issue({}), maxVersion: "TLSv1.2", ciphers: "aNULL@SECLEVEL=0" },
      /handshake/,
    ],
  ])("%s is refused, and gets nothing", async (_case, tlsOptions, why) => {
    const server = await origin({ tlsOptions });
    const { dialer, opened } = dialerTo(server);
    const error = await failureOf(dialer.dial({ authority: api, secure: true }));
    expect(error.code).toBe("origin_tls_error");
    expect(error.message).toMatch(why);
    expect(error.message).not.toMatch(/127\.0\.0\.1|openssl|\.c:/);
    await closed(opened, server);
    expect(server.accepted).toBe(1);
    expect(server.receivedBytes).toBe(0);
  });

  test("with an RSA key of 2048 bits is fine", async () => {
    const server = await origin({ tlsOptions: issue({ keys: strongKeys }) });
    const socket = await dialerTo(server).dialer.dial({ authority: api, secure: true });
    expect(await get(socket)).toMatch(/^HTTP\/1.1 200 /);
  });

  test("that does not speak TLS at all is refused", async () => {
    const server = await origin({ tls: false });
    server.respondRaw("HTTP/1.1 400 Bad Request\r\n\r\n");
    const { dialer, opened } = dialerTo(server);
    const error = await failureOf(dialer.dial({ authority: api, secure: true }));
    expect(error).toMatchObject({
      code: "origin_tls_error",
      message: expect.stringMatching(/does not speak TLS/),
    });
    await closed(opened, server);
  });

  test("that hangs up in the handshake is refused", async () => {
    const server = await origin({ tls: false });
    server.respondRaw("");
    const { dialer, opened } = dialerTo(server);
    const error = await failureOf(dialer.dial({ authority: api, secure: true }));
    expect(error).toMatchObject({ code: "origin_tls_error", message: expect.stringMatching(/closed/) });
    await closed(opened, server);
  });
});

describe("trust", () => {
  test("in a private authority comes from the configuration only", async () => {
    const server = await origin();
    const { dialer } = dialerTo(server, { extraCa: null });
    expect((await failureOf(dialer.dial({ authority: api, secure: true }))).code).toBe("origin_tls_error");
  });

  test("may come from any certificate of the configured file", async () => {
    const server = await origin();
    const extraCa = `# two\n${createTestAuthority("Other").ca}\n${testAuthority().ca}`;
    const { dialer } = dialerTo(server, { extraCa });
    expect(await get(await dialer.dial({ authority: api, secure: true }))).toMatch(/^HTTP\/1.1 200 /);
  });

  test.each(["", "not PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"])(
    "in %j is refused at start",
    (extraCa) => expect(() => dialerFor({ extraCa })).toThrow(/extra CA file/),
  );

  test("is not switched off by the environment", async () => {
    const server = await origin();
    const folder = await mkdtemp(join(tmpdir(), "dial-"));
    cleanups.push(() => rm(folder, { recursive: true }));
    await writeFile(join(folder, "ca.pem"), testAuthority().ca);
    const url = (file: string) => JSON.stringify(new URL(file, import.meta.url).href);
    const program = `
      import { createDialer } from ${url("./dial.ts")};
      const endpoint = { address: "127.0.0.1", port: ${server.port} };
      const resolver = { resolve: async () => [endpoint] };
      const dialer = createDialer({ resolver, guard: { permits: () => true }, extraCa: null });
      const authority = { host: "api.demo.test", port: 443, kind: "name" };
      await dialer.dial({ authority, secure: true }).then(() => console.log("connected"), (e) => console.log(e.code));
      process.exit();`;
    const env = {
      ...process.env,
      NODE_TLS_REJECT_UNAUTHORIZED: "0",
      NODE_EXTRA_CA_CERTS: join(folder, "ca.pem"),
      NODE_OPTIONS: "--tls-min-v1.0 --tls-cipher-list=DEFAULT@SECLEVEL=0",
    };
    const run = promisify(execFile);
    const { stdout } = await run(process.execPath, ["--input-type=module", "-e", program], { env });
    expect(stdout.trim()).toBe("origin_tls_error");
    expect(server.receivedBytes).toBe(0);
  });
});

describe("a TLS session", () => {
  function resumed(server: Origin): boolean[] {
    return server.connections.map((connection) => connection.resumed);
  }

  test.each(["TLSv1.2", "TLSv1.3"] as const)("is resumed for the same authority (%s)", async (maxVersion) => {
    const server = await origin({ tlsOptions: { maxVersion } });
    const { dialer } = dialerTo(server);
    for (let time = 0; time < 3; time++) await get(await dialer.dial({ authority: api, secure: true }));
    expect(resumed(server)).toEqual([false, true, true]);
  });

  test("is not resumed for longer than its certificate is trusted unseen, however often it was renewed", async () => {
    const server = await origin();
    let now = 0;
    const { dialer } = dialerTo(server, { now: () => now });
    for (const part of [0, 0.4, 0.8, 1]) {
      now = part * limits.originSessionAgeMs;
      await get(await dialer.dial({ authority: api, secure: true }));
    }
    expect(resumed(server)).toEqual([false, true, true, false]);
  });

  test("is not resumed for another authority at the same address, whose name is verified", async () => {
    const server = await origin();
    const overrides = ["api", "other"]
      .map((name) => `${name}.demo.test:443=127.0.0.1:${server.port}`)
      .join(",");
    const { dialer } = dialerFor({ overrides, allowPrivate: "127.0.0.1" });
    await get(await dialer.dial({ authority: api, secure: true }));
    const other = { ...api, host: "other.demo.test" };
    expect((await failureOf(dialer.dial({ authority: other, secure: true }))).code).toBe("origin_tls_error");
    expect(resumed(server)).not.toContain(true);
  });
});

describe("an address that is not allowed", () => {
  test.each([true, false])("is not connected to (secure: %s)", async (secure) => {
    const server = await origin({ tls: secure });
    const { dialer, opened } = dialerTo(server, { allowPrivate: "" });
    const error = await failureOf(dialer.dial({ authority: api, secure }));
    expect(error.code).toBe("destination_not_allowed");
    expect(error.message).toContain("api.demo.test");
    expect(error.message).not.toContain("127.0.0.1");
    expect([opened.length, server.accepted]).toEqual([0, 0]);
  });

  test("is the gateway's own, though it is named", async () => {
    const server = await origin();
    const ownAddresses = [{ address: "0.0.0.0", port: server.port }];
    const { dialer, opened } = dialerTo(server, { ownAddresses });
    expect((await failureOf(dialer.dial({ authority: api, secure: true }))).code).toBe(
      "destination_not_allowed",
    );
    expect(opened).toEqual([]);
  });

  test("refuses the call even when another address of the name is allowed", async () => {
    const server = await origin({ host: "0.0.0.0" });
    const dns = await nameServer(() => ["127.0.0.1", "127.0.0.2"]);
    const { dialer, opened } = dialerFor({ lookup: dns.lookup, allowPrivate: "127.0.0.1" });
    const authority = { ...api, port: server.port };
    expect((await failureOf(dialer.dial({ authority, secure: true }))).code).toBe("destination_not_allowed");
    expect([opened.length, server.accepted]).toEqual([0, 0]);
  });

  test("that a name is rebound to is refused, and each dial asks once", async () => {
    const server = await origin({ host: "0.0.0.0" });
    const dns = await nameServer((_name, time) => [time % 2 === 0 ? "127.0.0.1" : "127.0.0.2"]);
    const { dialer } = dialerFor({ lookup: dns.lookup, allowPrivate: "127.0.0.1" });
    const authority = { ...api, port: server.port };
    const socket = await dialer.dial({ authority, secure: true });
    expect(socket.remoteAddress).toBe("127.0.0.1");
    expect(dns.questions.toSorted()).toEqual(["1 api.demo.test", "28 api.demo.test"]);
    expect((await failureOf(dialer.dial({ authority, secure: true }))).code).toBe("destination_not_allowed");
    expect(server.accepted).toBe(1);
  });

  test("that the connection went to is found out before anything is sent", async () => {
    const server = await origin();
    const elsewhere = () => connectTcp({ host: "127.0.0.1", port: server.port });
    const overrides = `api.demo.test:443=127.0.0.2:${server.port}`;
    const { dialer, opened } = dialerTo(server, { overrides, connect: elsewhere });
    const error = await failureOf(dialer.dial({ authority: api, secure: false }));
    expect(error.code).toBe("destination_not_allowed");
    await closed(opened, server);
    expect(server.receivedBytes).toBe(0);
  });
});

describe("of several addresses", () => {
  const overridesFor = (port: number, addresses: string[]) =>
    addresses.map((address) => `api.demo.test:443=${address}:${port}`).join(",");

  test("the next one is tried when one refuses", async () => {
    const server = await origin();
    const overrides = overridesFor(server.port, ["127.0.0.2", "127.0.0.1"]);
    const { dialer, opened } = dialerTo(server, { overrides });
    const socket = await dialer.dial({ authority: api, secure: true });
    expect(socket.remoteAddress).toBe("127.0.0.1");
    expect(opened).toHaveLength(2);
  });

  test("the next one is tried when one is slow, and the slow one is given up", async () => {
    const server = await origin();
    const overrides = overridesFor(server.port, ["127.0.0.2", "127.0.0.1"]);
    const connect = ({ address, port }: Endpoint) =>
      address === "127.0.0.2" ? new Socket() : connectTcp({ host: address, port });
    const { dialer, opened } = dialerTo(server, { overrides, connect });
    const socket = await dialer.dial({ authority: api, secure: true });
    expect(socket.remoteAddress).toBe("127.0.0.1");
    expect(opened.map(({ destroyed }) => destroyed)).toEqual([true, false]);
  });

  test("none that answers means the origin is unreachable", async () => {
    const server = await origin();
    await server.close();
    const overrides = overridesFor(server.port, ["127.0.0.2", "127.0.0.1"]);
    const { dialer, opened } = dialerTo(server, { overrides });
    const error = await failureOf(dialer.dial({ authority: api, secure: true }));
    expect(error).toMatchObject({ code: "origin_unreachable", message: expect.stringMatching(/refused/) });
    expect(error.message).not.toContain("127.0.0");
    await closed(opened);
  });
});

describe("a dial that takes too long", () => {
  const connectTimeoutMs = 200;

  /** Accepts connections and never says a word. */
  async function silentOrigin(): Promise<Origin> {
    const server = await origin({ tls: false });
    server.respondRaw("", { end: false });
    return server;
  }

  test.each<[string, Setup]>([
    ["at the name", { overrides: "", lookup: () => new Promise(() => {}) }],
    ["at the connection", { connect: () => new Socket() }],
    ["at the handshake", {}],
  ])("%s ends in time, and leaves no socket", async (_case, setup) => {
    const server = await silentOrigin();
    const { dialer, opened } = dialerTo(server, { connectTimeoutMs, ...setup });
    const error = await failureOf(dialer.dial({ authority: api, secure: true }));
    expect(error).toMatchObject({ code: "origin_timeout", message: "api.demo.test did not answer in time" });
    await closed(opened, server);
  });

  test.each<[string, Setup]>([
    ["at the name", { overrides: "", lookup: () => new Promise(() => {}) }],
    ["at the connection", { connect: () => new Socket() }],
    ["at the handshake", {}],
  ])("%s can be aborted, and leaves no socket", async (_case, setup) => {
    const server = await silentOrigin();
    const { dialer, opened } = dialerTo(server, setup);
    const abort = new AbortController();
    const reason = new Error("the client left");
    setTimeout(() => abort.abort(reason), 50);
    await expect(dialer.dial({ authority: api, secure: true, signal: abort.signal })).rejects.toBe(reason);
    await closed(opened, server);
  });

  test("is not begun when it is aborted already", async () => {
    const server = await origin();
    const { dialer, opened } = dialerTo(server);
    const signal = AbortSignal.abort(new Error("the client left"));
    await expect(dialer.dial({ authority: api, secure: true, signal })).rejects.toThrow("the client left");
    expect(opened).toEqual([]);
  });

  test("does not touch a connection that was made in time", async () => {
    const server = await origin();
    const abort = new AbortController();
    const { dialer } = dialerTo(server, { connectTimeoutMs: 1_000 });
    const socket = await dialer.dial({ authority: api, secure: true, signal: abort.signal });
    abort.abort();
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    expect(await get(socket)).toMatch(/^HTTP\/1.1 200 /);
  });
});
