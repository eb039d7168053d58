// The world around somebody else's proxy: our origins, its configuration taken on trust.
import { basic } from "../support/client.ts";
import type { Origin } from "../support/origin.ts";
import type { Options } from "./options.ts";
import { closeOrigins, type OriginPorts, resetOrigins, startOrigins } from "./origins.ts";
import type { Need } from "./row.ts";
import type { Ingress, Place, World } from "./world.ts";

export interface ForeignTarget extends Pick<Options, "secret"> {
  readonly proxy: URL;
  /** ports of the origins; free ones when absent */
  readonly ports?: OriginPorts;
}

/** What any forward proxy has. An https URL in absolute form is none of them. */
const INGRESSES: readonly Ingress[] = ["tunnel-tls", "tunnel-plain", "absolute", "websocket"];

export async function startForeignWorld({ proxy, ports = {}, secret }: ForeignTarget): Promise<World> {
  const origins = await startOrigins({ ports });
  return {
    ...foreignPlaces(origins),
    proxy: {
      host: proxy.hostname.replace(/^\[|\]$/g, ""),
      port: Number(proxy.port === "" ? 80 : proxy.port),
      credentials: credentialsOf(proxy),
      socketPath: null,
    },
    ingresses: new Set(INGRESSES),
    has: new Set<Need>(secret === null ? [] : ["injection"]),
    secret,
    own: null,
    reset: () => resetOrigins(origins),
    stop: () => closeOrigins(origins),
  };
}

function foreignPlaces({ api, other, plain, bad }: Awaited<ReturnType<typeof startOrigins>>) {
  const at = (host: string, origin: Origin, secure = true): Place => ({
    host,
    port: origin.port,
    secure,
    origin,
  });
  return {
    api: at("api.attack.test", api),
    other: at("other.attack.test", other),
    plain: at("plain.attack.test", plain, false),
    // The proxy knows the host; on another port it meets a certificate that it must not accept.
    bad: Object.fromEntries(
      Object.entries(bad).map(([name, origin]) => [name, at("api.attack.test", origin)]),
    ),
  };
}

function credentialsOf({ username, password }: URL): string | null {
  if (username === "" && password === "") return null;
  const [user, token] = [decodeURIComponent(username), decodeURIComponent(password)];
  return user === "x" ? basic(token) : `Basic ${Buffer.from(`${user}:${token}`).toString("base64")}`;
}
