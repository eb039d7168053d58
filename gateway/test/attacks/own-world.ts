// The world around a gateway of this project: everything is set up here.
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { basic } from "../support/client.ts";
import { type TestGateway, startGateway } from "../support/gateway.ts";
import { closeOrigins, type Origins, resetOrigins, startOrigins } from "./origins.ts";
import { type OwnParts, type Place, type World, everyIngress } from "./world.ts";

const SCOPED_HOST = "scoped.attack.test";
const SWAPPED_HOST = "swapped.attack.test";

export async function startOwnWorld(): Promise<World> {
  const directory = mkdtempSync(path.join(os.tmpdir(), "onecli-attack-"));
  const origins = await startOrigins({ alsoApi: [SCOPED_HOST, SWAPPED_HOST] });
  const socketPath = path.join(directory, "proxy.sock");
  const gateway = await startGateway({ env: environmentOf(origins, directory, socketPath) });
  const places = placesOf(origins);
  const secret = `sk-attack-${randomBytes(24).toString("base64url")}+/=`;
  const own = await configure(gateway, { places, secret });
  return {
    ...places,
    proxy: { host: "127.0.0.1", port: gateway.port, credentials: basic(own.agent.token), socketPath },
    ingresses: new Set(everyIngress),
    has: new Set(["control", "injection", "own"]),
    secret,
    own,
    reset: () => resetOrigins(origins),
    async stop() {
      await gateway.stop();
      await closeOrigins(origins);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

type Places = ReturnType<typeof placesOf>;

function placesOf({ api, other, plain, bad }: Origins) {
  const secure = (host: string, origin: Place["origin"]): Place => ({
    host,
    port: 443,
    secure: true,
    origin,
  });
  return {
    api: secure("api.attack.test", api),
    other: secure("other.attack.test", other),
    plain: { host: "plain.attack.test", port: 80, secure: false, origin: plain },
    bad: Object.fromEntries(
      Object.entries(bad).map(([name, origin]) => [name, secure(`${name}.bad.attack.test`, origin)]),
    ),
    scoped: secure(SCOPED_HOST, api),
    swapped: secure(SWAPPED_HOST, api),
  };
}

function environmentOf(origins: Origins, directory: string, socketPath: string): Record<string, string> {
  const { api, other, plain, bad } = placesOf(origins);
  const places = [api, other, plain, ...Object.values(bad)];
  const resolve = places.map(({ host, port, origin }) => `${host}:${port}=127.0.0.1:${origin.port}`);
  // The host with a secret is served in cleartext too: a downgrade finds somebody who listens.
  resolve.push(`${api.host}:80=127.0.0.1:${plain.origin.port}`);
  for (const host of [SCOPED_HOST, SWAPPED_HOST]) resolve.push(`${host}:443=127.0.0.1:${api.origin.port}`);
  const allowed = resolve.map((entry) => entry.slice(0, entry.indexOf("=")));
  // Named, but for nobody: the guard must refuse them.
  resolve.push("internal.attack.test:443=10.1.2.3:443", "metadata.attack.test:80=169.254.169.254:80");
  resolve.push(`loopback.attack.test:443=127.0.0.1:${api.origin.port}`);
  resolve.push(`mixed.attack.test:443=192.0.2.1:443`, `mixed.attack.test:443=127.0.0.1:${api.origin.port}`);
  const caFile = path.join(directory, "origins.pem");
  writeFileSync(caFile, api.origin.ca);
  return {
    ONECLI_RESOLVE: resolve.join(","),
    ONECLI_ALLOW_PRIVATE: allowed.join(","),
    ONECLI_ALLOW_PORTS: [443, 80, api.origin.port, plain.origin.port].join(","),
    ONECLI_EXTRA_CA: caFile,
    ONECLI_SOCKET: socketPath,
  };
}

interface Setup {
  readonly places: Places;
  readonly secret: string;
}

async function configure(gateway: TestGateway, { places, secret }: Setup): Promise<OwnParts> {
  const agent = await gateway.agent("worker");
  const intruder = await gateway.agent("intruder");
  const { api, plain, scoped, swapped } = places;
  const bearer = { headerName: "Authorization", valueFormat: "Bearer {value}" };
  const generic = (name: string, hostPattern: string, more: object) =>
    gateway.secret({ name, type: "generic", value: secret, hostPattern, injectionConfig: bearer, ...more });
  await generic("API key", api.host, {});
  await generic("Key for bad certificates", "*.bad.attack.test", {});
  await generic("Scoped key", scoped.host, { pathPattern: "/v1/*" });
  const swappedValue = `swapped-${randomBytes(24).toString("hex")}`;
  const injectionConfig = { placeholder: ["header"] };
  await generic("Swapped key", swapped.host, { value: swappedValue, injectionConfig });
  for (const hostPattern of [api.host, plain.host])
    await gateway.rule({ name: "No admin", hostPattern, pathPattern: "/admin/*", action: "block" });
  const tokens = [agent.token, intruder.token];
  return {
    gateway,
    agent,
    intruder,
    scoped,
    swapped,
    fakeKey: await fakeKeyOf(gateway, "worker"),
    intruderFakeKey: await fakeKeyOf(gateway, "intruder"),
    values: [secret, swappedValue, gateway.apiKey, ...tokens],
  };
}

async function fakeKeyOf(gateway: TestGateway, agent: string): Promise<string> {
  const { body } = await gateway.api("GET", `/v1/container-config?agent=${agent}`);
  const { placeholders = [] } = body as { placeholders?: { secret: string; value: string }[] };
  const found = placeholders.find(({ secret }) => secret === "Swapped key");
  if (found === undefined) throw new Error("the agent got no fake key");
  return found.value;
}
