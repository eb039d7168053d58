// Where the gateway can be reached: loopback, docker0 where it exists, named addresses, a unix socket, an admin port.
// What is served follows from the address: on one that is neither loopback nor named, the proxy alone.
import { chmodSync, lstatSync, rmSync } from "node:fs";
import type http from "node:http";
import net from "node:net";
import os from "node:os";
import type { Config } from "../config.ts";
import type { Log } from "../log.ts";
import type { DataPlane } from "./plane.ts";
import { type ControlPlane, createOuterServer } from "./server.ts";

export interface Listening {
  /** the port of the proxy; differs from the configured one when that is 0 */
  readonly port: number;
  readonly adminPort: number;
  readonly addresses: () => readonly { address: string; port: number; servesControlPlane: boolean }[];
  /** Stops accepting; open connections stay. */
  close(): Promise<void>;
}

interface Bound {
  readonly server: http.Server;
  readonly address: string;
  readonly servesControlPlane: boolean;
}

const DOCKER_BRIDGE = "docker0";
const DOCKER_BRIDGE_LOOK_MS = 10_000;

/** @throws when a named address or the unix socket can't be bound; `::1` and docker0 are best effort */
export async function listen(
  plane: DataPlane,
  config: Config,
  controlPlane: ControlPlane,
): Promise<Listening> {
  const bound: Bound[] = [];
  const onProxyPort = config.adminPort === null ? controlPlane : null;
  let port = config.port;
  const bind = async (address: string, handler: ControlPlane | null): Promise<void> => {
    const server = createOuterServer(plane, handler);
    await listenOn(server, { host: address, port, exclusive: true, portVariable: "ONECLI_PORT" });
    port = (server.address() as net.AddressInfo).port;
    bound.push({ server, address, servesControlPlane: handler !== null });
  };
  for (const host of config.bindHosts) await bindHost(host, bind, onProxyPort);
  const admin =
    config.adminPort === null ? null : await bindAdmin(plane, config.adminPort, controlPlane, bound);
  const socket = config.socketPath === null ? null : await bindUnixSocket(plane, config.socketPath);
  const look = config.bindHosts.includes("auto") ? watchDockerBridge(bound, bind, plane.log) : null;
  announceExposure(bound, plane.log);
  return {
    port,
    adminPort: admin ?? port,
    addresses: () =>
      bound.map(({ server, address, servesControlPlane }) => ({
        address,
        port: portOf(server),
        servesControlPlane,
      })),
    async close() {
      if (look !== null) clearInterval(look);
      const servers =
        socket === null ? bound.map(({ server }) => server) : [...bound.map(({ server }) => server), socket];
      for (const server of servers) server.closeIdleConnections();
      await Promise.all(servers.map(closeServer));
      if (config.socketPath !== null) rmSync(config.socketPath, { force: true });
    },
  };
}

type Bind = (address: string, handler: ControlPlane | null) => Promise<void>;

async function bindHost(host: string, bind: Bind, controlPlane: ControlPlane | null): Promise<void> {
  if (host !== "auto") return bind(host.replace(/^\[|\]$/g, ""), controlPlane);
  await bind("127.0.0.1", controlPlane);
  await bind("::1", controlPlane).catch(() => undefined);
  const bridge = dockerBridgeAddress();
  if (bridge !== undefined) await bind(bridge, null).catch(() => undefined);
}

async function bindAdmin(
  plane: DataPlane,
  port: number,
  controlPlane: ControlPlane,
  bound: Bound[],
): Promise<number> {
  const server = createOuterServer(plane, controlPlane);
  await listenOn(server, { host: "127.0.0.1", port, portVariable: "ONECLI_ADMIN_PORT" });
  bound.push({ server, address: "127.0.0.1", servesControlPlane: true });
  return portOf(server);
}

/** For containers without a network. Anyone who can open the file may try a token; API and dashboard are not here. */
async function bindUnixSocket(plane: DataPlane, path: string): Promise<http.Server> {
  await removeStaleSocket(path);
  const server = createOuterServer(plane, null);
  await listenOn(server, { path });
  chmodSync(path, 0o666);
  return server;
}

async function removeStaleSocket(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw new Error(`ONECLI_SOCKET: ${path} exists and is not a socket`);
  const inUse = await new Promise<boolean>((resolve) => {
    const probe = net.connect(path, () => resolve(true)).on("error", () => resolve(false));
    probe.once("connect", () => probe.destroy());
  });
  if (inUse) throw new Error(`ONECLI_SOCKET: another process listens on ${path}`);
  rmSync(path);
}

/** Containers on Linux reach host.docker.internal at docker0, which may appear after we start. */
function watchDockerBridge(bound: readonly Bound[], bind: Bind, log: Log): NodeJS.Timeout {
  return setInterval(() => {
    const address = dockerBridgeAddress();
    if (address === undefined || bound.some((one) => one.address === address)) return;
    bind(address, null).then(
      () => log.info({ address }, "listening on docker0 for containers (proxy only)"),
      () => undefined,
    );
  }, DOCKER_BRIDGE_LOOK_MS).unref();
}

function dockerBridgeAddress(): string | undefined {
  return os.networkInterfaces()[DOCKER_BRIDGE]?.find(({ family }) => family === "IPv4")?.address;
}

function announceExposure(bound: readonly Bound[], log: Log): void {
  for (const { address, servesControlPlane } of bound) {
    if (address !== "0.0.0.0" && address !== "::") continue;
    const what = servesControlPlane ? "the proxy, the API and the dashboard" : "the proxy";
    log.warn({ address }, `bound to every address of this machine: ${what} can be reached from its networks`);
  }
}

interface Where extends net.ListenOptions {
  /** the setting that chose the port */
  readonly portVariable?: "ONECLI_PORT" | "ONECLI_ADMIN_PORT";
}

function listenOn(server: http.Server, options: Where): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException) => reject(cannotListen(options, error));
    server.once("error", refuse);
    server.listen(options, () => {
      server.removeListener("error", refuse);
      resolve();
    });
  });
}

const isNoAddressOfOurs = ["EADDRNOTAVAIL", "ENOTFOUND", "EAI_AGAIN", "EINVAL"];

/** Says which setting to change. */
function cannotListen({ host, port, path, portVariable }: Where, error: NodeJS.ErrnoException): Error {
  const { code = "unknown" } = error;
  if (path !== undefined) return new Error(`ONECLI_SOCKET: ${path} can't be made (${code})`);
  if (isNoAddressOfOurs.includes(code)) {
    return new Error(`ONECLI_BIND_HOST: ${host} is not an address of this machine (${code})`);
  }
  const where = `port ${port} on ${host}`;
  if (code === "EADDRINUSE")
    return new Error(`${portVariable}: ${where} is in use: end what listens there, or choose another port`);
  if (code === "EACCES") return new Error(`${portVariable}: this user may not bind ${where}`);
  return new Error(`${portVariable}: ${where} can't be bound (${code})`);
}

function closeServer(server: http.Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    // Tunnels keep the server's count of connections up; they are drained by their own list.
    resolve();
  });
}

function portOf(server: http.Server): number {
  return (server.address() as net.AddressInfo | null)?.port ?? 0;
}
