// The test bed: origin, load generator and the three targets, each in its own process, on loopback only.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { testAuthority } from "../test/support/test-authority.ts";
import { type Child, startChild } from "./child.ts";
import type { Route } from "./connection.ts";
import { type GatewayStart, PROBE, PRODUCT_FLAGS, type RunningGateway, startGateway } from "./gateway.ts";
import type { Way } from "./interleave.ts";
import type { OriginCounts, OriginStart } from "./origin.ts";
import type { PeerStart, PeerStarted } from "./peer.ts";

export type TargetName = "gateway" | "bare" | "mitm";

export type Target = Way<TargetName>;

export interface Bed {
  readonly load: Child;
  readonly origin: Child;
  readonly targets: readonly Target[];
  /** through the gateway, by a name of the origin that has no credential */
  readonly open: Route;
  /** the origin without a proxy */
  readonly direct: Route;
  /** what a further gateway needs to know */
  readonly gatewayStart: (name: string) => GatewayStart;
  readonly proof: () => Promise<Proof>;
  close(): Promise<void>;
}

/** That the work was done, by those who should know. */
export interface Proof extends OriginCounts {
  /** requests that the load generator got an answer to */
  readonly throughGateway: number;
  /** … by the name without a credential */
  readonly throughOpen: number;
  readonly throughMitm: number;
  readonly auditRows: number;
}

const ORIGIN_NAME = "api.bench.test";
const OPEN_NAME = "open.bench.test";
const SECRET = "sk-bench-0123456789abcdef0123456789abcdef";
const CREDENTIAL = `Bearer ${SECRET}`;

export async function openBed(profile: string | null): Promise<Bed> {
  const directory = mkdtempSync(path.join(os.tmpdir(), "onecli-bench-"));
  process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
  const files = writeCertificates(directory);
  const origin = startChild({ name: "origin", file: fileOf("origin"), flags: PROBE });
  const { certFile, keyFile, caFile } = files;
  const { port: originPort } = await origin.ask<{ port: number }>("start", {
    certFile,
    keyFile,
    credential: CREDENTIAL,
  } satisfies OriginStart);
  const authority = `${ORIGIN_NAME}:${originPort}`;
  const openAuthority = `${OPEN_NAME}:${originPort}`;
  const load = startChild({ name: "load", file: fileOf("load"), flags: PROBE });
  const gatewayStart = (name: string): GatewayStart => ({
    authority,
    openAuthority,
    originPort,
    caFile,
    directory: folder(directory, name),
    secret: SECRET,
    profile: null,
  });
  const gateway = await startGateway({ ...gatewayStart("gateway"), profile });
  const peer = { authority, ...files, credential: CREDENTIAL };
  const through = gatewayTarget(gateway, authority);
  const bare = await startPeer("bare", { ...peer, directory: folder(directory, "bare") });
  const mitm = await startPeer("mitm", { ...peer, directory: folder(directory, "mitm") });
  const targets = [through, bare, mitm];
  // A fake key is refused where none is replaced.
  const open = { ...through.route, authority: openAuthority, authorization: "Bearer of-the-agent" };
  const answered = (route: Route): Promise<number> => load.ask<number>("answered", route);
  return {
    load,
    origin,
    targets,
    open,
    direct: {
      port: originPort,
      direct: true,
      authority,
      proxyCredentials: "",
      ca: readFileSync(caFile, "utf8"),
    },
    gatewayStart,
    proof: async () => ({
      ...(await origin.ask<OriginCounts>("counts")),
      throughGateway: await answered(through.route),
      throughOpen: await answered(open),
      throughMitm: await answered(mitm.route),
      auditRows: await gateway.auditRows(),
    }),
    async close() {
      await Promise.all([...targets.map(({ child }) => child), load, origin].map((child) => child.stop()));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

export function gatewayTarget(
  { child, port, caFile, proxyCredentials }: RunningGateway,
  authority: string,
): Target {
  const ca = readFileSync(caFile, "utf8");
  return { name: "gateway", child, route: { port, direct: false, authority, proxyCredentials, ca } };
}

async function startPeer(name: "bare" | "mitm", start: PeerStart): Promise<Target> {
  const child = startChild({ name, file: fileOf(name), flags: [...PRODUCT_FLAGS, ...PROBE] });
  const { port, caFile } = await child.ask<PeerStarted>("start", start);
  const ca = readFileSync(caFile, "utf8");
  return {
    name,
    child,
    route: { port, direct: false, authority: start.authority, proxyCredentials: "Basic eDp4", ca },
  };
}

function writeCertificates(directory: string) {
  const authority = testAuthority();
  const { cert, key } = authority.issue({ names: [ORIGIN_NAME, OPEN_NAME] });
  const files = {
    caFile: path.join(directory, "ca.pem"),
    certFile: path.join(directory, "leaf.pem"),
    keyFile: path.join(directory, "leaf.key"),
  };
  writeFileSync(files.caFile, authority.ca);
  writeFileSync(files.certFile, cert);
  writeFileSync(files.keyFile, key, { mode: 0o600 });
  return files;
}

function folder(directory: string, name: string): string {
  const made = path.join(directory, name);
  mkdirSync(made, { recursive: true });
  return made;
}

function fileOf(name: string): string {
  return path.join(import.meta.dirname, `${name}.ts`);
}
