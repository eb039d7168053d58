// What most tests of the data plane need: a TLS and a plain origin, a gateway in front of them, an agent with a secret,
// and the ways by which a request can come in.
import type { Duplex } from "node:stream";
import {
  basic,
  connectTo,
  isWholeAnswer,
  openSecureTunnel,
  openTunnel,
  readUntil,
  type Via,
} from "./client.ts";
import { startGateway, type TestGateway, type TestGatewayOptions } from "./gateway.ts";
import { type Origin, startOrigin } from "./origin.ts";

/** served over TLS, as port 443 */
export const HOST = "api.demo.test";
/** a second name of the same origin, for which no secret is stored */
export const OPEN_HOST = "open.demo.test";
/** served in cleartext, as port 80 */
export const PLAIN_HOST = "plain.demo.test";
export const VALUE = "real-value-0123456789";

export interface World {
  readonly origin: Origin;
  readonly plain: Origin;
  readonly gateway: TestGateway;
  readonly agent: { readonly id: string; readonly token: string };
  readonly via: Via;
  stop(): Promise<void>;
}

export interface WorldOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly dataDir?: string;
  readonly apiKey?: string;
  /** token of an agent that the data directory knows already; without it one is made */
  readonly agent?: string;
  /** further names of the TLS origin, as port 443 */
  readonly names?: readonly string[];
  /** further servers, by name */
  readonly origins?: TestGatewayOptions["origins"];
}

export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const names = [HOST, OPEN_HOST, ...(options.names ?? [])];
  const origin = await startOrigin({ tls: true, names });
  const plain = await startOrigin({ tls: false });
  const secure = names.map((name) => [name, { port: origin.port, ca: origin.ca }] as const);
  const gateway = await startGateway({
    ...options,
    origins: {
      ...Object.fromEntries(secure),
      [PLAIN_HOST]: { port: plain.port, asPort: 80 },
      ...options.origins,
    },
  });
  const agent =
    options.agent === undefined ? await gateway.agent("worker") : { id: "", token: options.agent };
  return {
    origin,
    plain,
    gateway,
    agent,
    via: viaOf(gateway, agent.token),
    async stop() {
      await gateway.stop();
      await Promise.all([origin.close(), plain.close()]);
    },
  };
}

export function viaOf({ port, gateway }: TestGateway, token: string): Via {
  return { port, token, ca: gateway.plane.authority.certificate };
}

/** Stores the secret that most tests look for at the origin. */
export function demoSecret(
  gateway: TestGateway,
  options: Record<string, unknown> = {},
): Promise<{ id: string }> {
  return gateway.secret({
    name: "Demo key",
    type: "generic",
    value: VALUE,
    hostPattern: HOST,
    injectionConfig: { headerName: "Authorization", valueFormat: "Bearer {value}" },
    ...options,
  });
}

export interface Message {
  readonly method?: string;
  readonly path?: string;
  /** lines without their line ends */
  readonly fields?: readonly string[];
  readonly body?: string;
}

/** A way in for requests: how a connection is made ready, and how the request line and Host look there. */
export interface Ingress {
  readonly name: string;
  readonly host: string;
  readonly authority: string;
  readonly origin: (world: World) => Origin;
  open(via: Via): Promise<Duplex>;
  /** what stands before the path in a request target */
  readonly targetPrefix: string;
  fields(via: Via): readonly string[];
}

export const ingresses: readonly Ingress[] = [
  {
    name: "TLS in a tunnel",
    host: HOST,
    authority: `${HOST}:443`,
    origin: ({ origin }) => origin,
    open: (via) => openSecureTunnel(via, `${HOST}:443`),
    targetPrefix: "",
    fields: () => [],
  },
  {
    name: "plain HTTP in a tunnel",
    host: PLAIN_HOST,
    authority: `${PLAIN_HOST}:80`,
    origin: ({ plain }) => plain,
    open: async (via) => (await openTunnel(via, `${PLAIN_HOST}:80`)).socket,
    targetPrefix: "",
    fields: () => [],
  },
  {
    name: "absolute form",
    host: PLAIN_HOST,
    authority: `${PLAIN_HOST}:80`,
    origin: ({ plain }) => plain,
    open: ({ port }) => connectTo(port),
    targetPrefix: `http://${PLAIN_HOST}`,
    fields: ({ token }) =>
      token === null || token === undefined ? [] : [`Proxy-Authorization: ${basic(token)}`],
  },
];

/** The bytes of a request as it is written on this way in. */
export function messageOn(ingress: Ingress, via: Via, message: Message = {}): string {
  const { method = "GET", path = "/", fields = [], body = "" } = message;
  const lines = [
    `${method} ${ingress.targetPrefix}${path} HTTP/1.1`,
    `Host: ${ingress.host}`,
    ...ingress.fields(via),
    ...fields,
  ];
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
}

export interface Outcome {
  readonly text: string;
  /** the gateway closed the connection after it */
  readonly closed: boolean;
}

/** Writes bytes on a fresh connection and reads one answer; says whether the connection was closed after it. */
export async function exchangeOn(ingress: Ingress, via: Via, bytes: string | Buffer): Promise<Outcome> {
  const socket = await ingress.open(via);
  socket.write(bytes);
  const text = await readUntil(socket, isWholeAnswer);
  const closed = await isClosed(socket, 300);
  socket.destroy();
  return { text, closed };
}

/** The peer ends or resets the connection within the time. */
export function isClosed(socket: Duplex, ms: number): Promise<boolean> {
  if (socket.readableEnded || socket.destroyed) return Promise.resolve(true);
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), ms);
    const yes = () => {
      clearTimeout(timer);
      resolve(true);
    };
    socket.once("end", yes).once("close", yes).once("error", yes);
    socket.resume();
  });
}

/** Values of a field among `name, value, name, value …`, in order. */
export function valuesOf(raw: readonly string[] | undefined, name: string): string[] {
  return (raw ?? []).filter((_, index) => index % 2 === 1 && raw?.[index - 1]?.toLowerCase() === name);
}

/** Polls until `condition` holds; false = it did not in time. */
export async function eventually(condition: () => boolean, ms = 5_000): Promise<boolean> {
  const until = performance.now() + ms;
  while (!condition()) {
    if (performance.now() > until) return false;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return true;
}
