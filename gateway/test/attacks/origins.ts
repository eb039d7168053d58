// The origins of the suite: loopback servers that record every byte, good and bad certificates.
import { createHash, generateKeyPairSync } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type Origin, startOrigin } from "../support/origin.ts";
import { createTestAuthority, testAuthority } from "../support/test-authority.ts";

export interface Origins {
  readonly api: Origin;
  readonly other: Origin;
  readonly plain: Origin;
  readonly bad: Readonly<Record<string, Origin>>;
}

const YEAR_MS = 365 * 86_400_000;

export interface OriginPorts {
  readonly api?: number;
  readonly other?: number;
  readonly plain?: number;
}

export interface OriginsOptions {
  /** free ones when absent */
  readonly ports?: OriginPorts;
  /** further names of the first origin */
  readonly alsoApi?: readonly string[];
}

export async function startOrigins({ ports = {}, alsoApi = [] }: OriginsOptions = {}): Promise<Origins> {
  const [api, other, plain] = await Promise.all([
    startOrigin({ tls: true, names: ["api.attack.test", ...alsoApi], port: ports.api ?? 0 }),
    startOrigin({ tls: true, names: ["other.attack.test"], port: ports.other ?? 0 }),
    startOrigin({ tls: false, port: ports.plain ?? 0 }),
  ]);
  const origins = { api, other, plain, bad: await startBadOrigins() };
  for (const origin of listOf(origins)) origin.http.on("upgrade", acceptWebSocket);
  resetOrigins(origins);
  return origins;
}

async function startBadOrigins(): Promise<Record<string, Origin>> {
  const names = (name: string) => ({ names: [`${name}.bad.attack.test`] });
  const now = Date.now();
  const good = testAuthority();
  const weak = generateKeyPairSync("rsa", { modulusLength: 1024 });
  const issued = {
    "self-signed": good.issue({ ...names("self-signed"), selfSigned: true }),
    stranger: createTestAuthority("Unknown authority").issue(names("stranger")),
    "wrong-name": good.issue({ names: ["elsewhere.attack.test"] }),
    expired: good.issue({ ...names("expired"), notAfter: new Date(now - 1_000) }),
    "not-yet": good.issue({
      ...names("not-yet"),
      notBefore: new Date(now + YEAR_MS),
      notAfter: new Date(now + 2 * YEAR_MS),
    }),
    weak: good.issue({ ...names("weak"), keys: weak }),
  };
  // A server with a weak key must be told that it may.
  const started = Object.entries(issued).map(
    async ([name, tlsOptions]) =>
      [
        name,
        await startOrigin({ tls: true, tlsOptions: { ...tlsOptions, ciphers: "DEFAULT@SECLEVEL=0" } }),
      ] as const,
  );
  return Object.fromEntries(await Promise.all(started));
}

function listOf({ api, other, plain, bad }: Origins): Origin[] {
  return [api, other, plain, ...Object.values(bad)];
}

export function resetOrigins(origins: Origins): void {
  for (const origin of listOf(origins)) {
    origin.respondRaw(null);
    origin.handle((_, response) => void response.end("ok"));
  }
}

export async function closeOrigins(origins: Origins): Promise<void> {
  await Promise.all(listOf(origins).map((origin) => origin.close()));
}

const HANDSHAKE_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** RFC 6455 section 1.3; the path says how the origin behaves. What the client sends afterwards is recorded. */
function acceptWebSocket(request: IncomingMessage, socket: Duplex): void {
  const key = request.headers["sec-websocket-key"] ?? "";
  const accept = createHash("sha1")
    .update(key + HANDSHAKE_GUID)
    .digest("base64");
  socket.on("error", () => socket.destroy());
  const url = request.url ?? "";
  if (url.startsWith("/refuse"))
    return void socket.write("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
  const protocol = url.startsWith("/other-protocol") ? "h2c" : "websocket";
  const answer = url.startsWith("/wrong-accept") ? "bm90IHRoZSByaWdodCBvbmU=" : accept;
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: ${protocol}\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${answer}\r\n\r\n`,
  );
  if (url.startsWith("/frames"))
    socket.write(Buffer.from(decodeURIComponent(url.split("?")[1] ?? ""), "hex"));
}
