// What an attack is aimed at: the proxy, the origins behind it, and what the proxy is known to place where.
import type { Origin } from "../support/origin.ts";
import type { TestGateway } from "../support/gateway.ts";
import type { Need } from "./row.ts";

/** Ways in. `absolute-tls` = an https URL in absolute form; `unix` = a TLS tunnel over the unix socket. */
export type Ingress = "tunnel-tls" | "tunnel-plain" | "absolute" | "absolute-tls" | "websocket" | "unix";

export const everyIngress: readonly Ingress[] = [
  "tunnel-tls",
  "tunnel-plain",
  "absolute",
  "absolute-tls",
  "websocket",
  "unix",
];
/** Those that end in TLS to the origin, where secrets are placed. */
export const secureIngresses: readonly Ingress[] = ["tunnel-tls", "absolute-tls", "websocket", "unix"];
/** Those on which ordinary requests with bodies go. */
export const messageIngresses: readonly Ingress[] = [
  "tunnel-tls",
  "tunnel-plain",
  "absolute",
  "absolute-tls",
  "unix",
];
export const tunnelIngresses: readonly Ingress[] = ["tunnel-tls", "tunnel-plain", "unix"];

export interface Proxy {
  readonly host: string;
  readonly port: number;
  /** value of Proxy-Authorization; null = the proxy asks for none */
  readonly credentials: string | null;
  readonly socketPath: string | null;
}

/** An origin and the name under which the proxy finds it. */
export interface Place {
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
  readonly origin: Origin;
}

export interface World {
  readonly proxy: Proxy;
  readonly ingresses: ReadonlySet<Ingress>;
  readonly has: ReadonlySet<Need>;
  /** TLS; the secret is placed here */
  readonly api: Place;
  /** TLS; nothing is placed here */
  readonly other: Place;
  /** cleartext */
  readonly plain: Place;
  /** TLS with certificates that nobody may accept, by what is wrong with them; the secret would be placed */
  readonly bad: Readonly<Record<string, Place>>;
  /** the value that the proxy places as `Authorization: Bearer …`; null = it places none */
  readonly secret: string | null;
  readonly own: OwnParts | null;
  /** Origins answer as they did at the start. */
  reset(): void;
  stop(): Promise<void>;
}

/** What only a gateway of this project has. */
export interface OwnParts {
  readonly gateway: TestGateway;
  readonly agent: { readonly id: string; readonly token: string };
  /** a second agent; the fake keys of one are nothing to the other */
  readonly intruder: { readonly id: string; readonly token: string };
  /** TLS; the secret belongs to paths below /v1 alone */
  readonly scoped: Place;
  /** TLS; the first agent's fake key is swapped in header fields alone */
  readonly swapped: Place;
  /** fake keys of the two agents for `swapped` */
  readonly fakeKey: string;
  readonly intruderFakeKey: string;
  /** every value that must not be seen outside the vault and the origins */
  readonly values: readonly string[];
}

/** Where an ordinary attack on this way in goes. */
export function placeFor(world: World, ingress: Ingress): Place {
  return ingress === "tunnel-plain" || ingress === "absolute" ? world.plain : world.api;
}

export function placesOf(world: World): Place[] {
  const own = world.own === null ? [] : [world.own.scoped, world.own.swapped];
  return [world.api, world.other, world.plain, ...Object.values(world.bad), ...own];
}

export function defaultPort({ secure }: Place): number {
  return secure ? 443 : 80;
}

/** As the Host field names it: without the default port. */
export function hostOf(place: Place): string {
  return place.port === defaultPort(place) ? place.host : `${place.host}:${place.port}`;
}

export function authorityOf({ host, port }: Place): string {
  return `${host}:${port}`;
}
