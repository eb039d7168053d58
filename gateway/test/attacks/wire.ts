// The attacker's side: raw bytes on a way in, and everything that comes back on the connection.
import net from "node:net";
import tls from "node:tls";
import type { Duplex } from "node:stream";
import { type Ingress, type Place, type Proxy, type World, authorityOf, hostOf } from "./world.ts";

/** A target that gives no answer at all must not hold up the suite. */
const ANSWER_MS_MAX = 4_000;
/** Time in which a second answer follows a whole one. */
const QUIET_MS = 10;
/** Time in which the connection ends that the answer said would. */
const CLOSE_MS = 1_000;

export interface Message {
  readonly method?: string;
  /** path and query as written */
  readonly path?: string;
  /** what stands before the path; the way in decides when absent */
  readonly prefix?: string;
  /** the Host field's value; null = no such field */
  readonly host?: string | null;
  /** lines without their ends, behind Host */
  readonly fields?: readonly string[];
  readonly body?: string | Buffer;
  readonly version?: string;
}

export interface Outcome {
  readonly text: string;
  /** 0 = no answer */
  readonly status: number;
  /** final answers, interim ones not counted */
  readonly answers: number;
  /** by the proxy, after what it sent */
  readonly closed: boolean;
}

/** Writes one message on a fresh connection and takes in all that comes back. */
export async function send(world: World, ingress: Ingress, place: Place, message: Message): Promise<Outcome> {
  return await sendBytes(world, ingress, place, bytesOf(world, ingress, place, message));
}

export async function sendBytes(
  world: World,
  ingress: Ingress,
  place: Place,
  bytes: string | Buffer,
): Promise<Outcome> {
  const opened = await open(world, ingress, authorityOf(place), place.host);
  if (!opened.ok) return outcomeOf(opened.answer, true);
  opened.socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  return await takeIn(opened.socket);
}

export type Opened =
  | { readonly ok: true; readonly socket: Duplex }
  /** what the proxy said instead of 200; empty when the TLS handshake failed */
  | { readonly ok: false; readonly answer: string };

/** @param authority the CONNECT target, where there is one */
export async function open(
  { proxy }: World,
  ingress: Ingress,
  authority: string,
  serverName: string,
): Promise<Opened> {
  const socket = await connect(proxy, ingress === "unix");
  if (ingress === "absolute" || ingress === "absolute-tls") return { ok: true, socket };
  const answer = await tunnel(socket, proxy, authority);
  if (!/^HTTP\/1\.[01] 200/.test(answer)) {
    socket.destroy();
    return { ok: false, answer };
  }
  if (ingress === "tunnel-plain") return { ok: true, socket };
  const secure = await handshake(socket, serverName);
  return secure === null ? { ok: false, answer: "" } : { ok: true, socket: secure };
}

export function connect(proxy: Proxy, overUnix = false): Promise<net.Socket> {
  const target = overUnix ? { path: proxy.socketPath ?? "" } : { host: proxy.host, port: proxy.port };
  return new Promise((resolve, reject) => {
    const socket = net.connect(target, () => resolve(socket));
    socket.once("error", reject);
    socket.on("error", () => socket.destroy());
  });
}

/** @returns what the proxy answered to CONNECT */
export async function tunnel(socket: net.Socket, proxy: Proxy, authority: string): Promise<string> {
  const lines = [`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`, ...credentialFields(proxy)];
  socket.write(Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"));
  return await readUntil(socket, (text) => text.includes("\r\n\r\n"));
}

export function credentialFields({ credentials }: Proxy): string[] {
  return credentials === null ? [] : [`Proxy-Authorization: ${credentials}`];
}

/** The attacker trusts whatever it is shown. null = no handshake */
export function handshake(socket: net.Socket, serverName: string): Promise<tls.TLSSocket | null> {
  return new Promise((resolve) => {
    const named = net.isIP(serverName) === 0 ? { servername: serverName } : {};
    const secure = tls.connect({
      socket,
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
      ...named,
    });
    const give = (result: tls.TLSSocket | null) => {
      clearTimeout(timer);
      resolve(result);
    };
    const timer = setTimeout(() => {
      secure.destroy();
      give(null);
    }, ANSWER_MS_MAX);
    secure.once("secureConnect", () => give(secure));
    secure.on("error", () => {
      secure.destroy();
      give(null);
    });
    secure.once("close", () => give(null));
  });
}

export function bytesOf({ proxy }: World, ingress: Ingress, place: Place, message: Message = {}): Buffer {
  const {
    method = "GET",
    path = "/",
    host = hostOf(place),
    fields = [],
    body = "",
    version = "HTTP/1.1",
  } = message;
  const lines = [
    `${method} ${message.prefix ?? prefixOf(ingress, place)}${path} ${version}`,
    ...(host === null ? [] : [`Host: ${host}`]),
    ...(isAbsolute(ingress) ? credentialFields(proxy) : []),
    ...(ingress === "websocket" ? WEBSOCKET_FIELDS : []),
    ...fields,
  ];
  const tail = typeof body === "string" ? Buffer.from(body, "latin1") : body;
  return Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), tail]);
}

export const WEBSOCKET_KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const WEBSOCKET_FIELDS = [
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  `Sec-WebSocket-Key: ${WEBSOCKET_KEY}`,
];

function prefixOf(ingress: Ingress, place: Place): string {
  return isAbsolute(ingress) ? `${place.secure ? "https" : "http"}://${hostOf(place)}` : "";
}

export function isAbsolute(ingress: Ingress): boolean {
  return ingress === "absolute" || ingress === "absolute-tls";
}

/** Reads until a whole answer was followed by silence, or the end. */
export async function takeIn(
  socket: Duplex,
  isEnough: (text: string) => boolean = isWhole,
): Promise<Outcome> {
  const text = await readUntil(socket, isEnough);
  let more = "";
  socket.on("data", (chunk: Buffer) => (more += chunk.toString("latin1")));
  const closed = await isClosed(socket, /\r\nconnection: *close/i.test(text) ? CLOSE_MS : QUIET_MS);
  socket.destroy();
  return outcomeOf(text + more, closed);
}

function outcomeOf(text: string, closed: boolean): Outcome {
  const finals = text.match(/^HTTP\/1\.[01] [2-5]\d\d/gm) ?? [];
  const first = /^HTTP\/1\.[01] (\d{3})/.exec(text.replace(/^(?:HTTP\/1\.1 10[023][^]*?\r\n\r\n)+/, ""));
  return { text, status: Number(first?.[1] ?? 0), answers: finals.length, closed };
}

export function readUntil(
  socket: Duplex,
  isEnough: (text: string) => boolean,
  ms = ANSWER_MS_MAX,
): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const done = () => {
      clearTimeout(timer);
      socket.off("data", onData);
      resolve(text);
    };
    const onData = (chunk: Buffer) => {
      text += chunk.toString("latin1");
      if (isEnough(text)) done();
    };
    const timer = setTimeout(done, ms);
    if (socket.destroyed || socket.readableEnded) return done();
    socket.on("data", onData);
    socket.once("end", done).once("close", done).once("error", done);
  });
}

/** The first final answer has arrived with its body; answers to HEAD and 101 end with their fields. */
function isWhole(text: string): boolean {
  const answer = text.replace(/^(?:HTTP\/1\.1 10[023][^]*?\r\n\r\n)+/, "");
  const end = answer.indexOf("\r\n\r\n");
  if (end === -1) return false;
  const head = answer.slice(0, end).toLowerCase();
  if (/^http\/1\.[01] (?:101|204|304)/.test(head)) return true;
  const length = /\r\ncontent-length: *(\d+)/.exec(head)?.[1];
  if (length !== undefined) return answer.length >= end + 4 + Number(length);
  return head.includes("chunked") && /\r\n0\r\n(?:[^\r\n]+\r\n)*\r\n/.test(answer.slice(end));
}

export function isClosed(socket: Duplex, ms: number): Promise<boolean> {
  if (socket.destroyed || socket.readableEnded) return Promise.resolve(true);
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

export function refused({ status, closed }: Outcome): boolean {
  return status >= 400 || (status === 0 && closed);
}

/** Status and the body's stable code, for evidence. */
export function shown({ status, text }: Outcome): string {
  const code = /"error":"([a-z_]+)"/.exec(text)?.[1];
  return status === 0 ? "no answer" : `${status}${code === undefined ? "" : ` ${code}`}`;
}

export function headOf(text: string): string {
  return text.slice(0, text.indexOf("\r\n\r\n") + 2);
}

export function bodyOf(text: string): string {
  return text.slice(text.indexOf("\r\n\r\n") + 4);
}
