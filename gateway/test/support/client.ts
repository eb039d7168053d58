// Clients for tests, as close to the wire as can be: a tunnel through the proxy, then bytes.
import net from "node:net";
import tls from "node:tls";
import type { Duplex } from "node:stream";

export interface Via {
  readonly port: number;
  readonly token?: string | null;
  /** the gateway's CA */
  readonly ca?: string;
}

export function basic(token: string): string {
  return `Basic ${Buffer.from(`x:${token}`).toString("base64")}`;
}

export function connectTo(port: number): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, "127.0.0.1", () => resolve(socket));
    socket.once("error", reject);
  });
}

/** Everything the peer sends until it closes, or until `enough` says so. */
export function readUntil(
  socket: Duplex,
  enough: (text: string) => boolean = () => false,
  ms = 10_000,
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
      if (enough(text)) done();
    };
    const timer = setTimeout(done, ms);
    socket.on("data", onData);
    socket.once("end", done);
    socket.once("close", done);
    socket.once("error", done);
  });
}

/** Sends raw bytes to the proxy's port and reads the answer to its end. */
export async function rawExchange(port: number, bytes: string | Buffer, ms?: number): Promise<string> {
  const socket = await connectTo(port);
  socket.write(bytes);
  const answer = await readUntil(socket, isWholeAnswer, ms);
  socket.destroy();
  return answer;
}

/** One HTTP/1.1 message with Content-Length or chunked coding has arrived whole. */
export function isWholeAnswer(text: string): boolean {
  const end = text.indexOf("\r\n\r\n");
  if (end === -1) return false;
  const head = text.slice(0, end).toLowerCase();
  const length = /\r\ncontent-length: *(\d+)/.exec(head)?.[1];
  if (length !== undefined) return text.length >= end + 4 + Number(length);
  return head.includes("chunked") && /\r\n0\r\n(?:[^\r\n]+\r\n)*\r\n$/.test(text);
}

/** CONNECT; resolves with the socket and the proxy's answer. */
export async function openTunnel(
  via: Via,
  authority: string,
): Promise<{ socket: net.Socket; answer: string }> {
  const socket = await connectTo(via.port);
  const auth =
    via.token === null || via.token === undefined ? "" : `Proxy-Authorization: ${basic(via.token)}\r\n`;
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${auth}\r\n`);
  const answer = await readUntil(socket, (text) => text.includes("\r\n\r\n"));
  return { socket, answer };
}

/** TLS inside a tunnel. `serverName` differs from the tunnel's host in tests of mismatches. */
export async function openSecureTunnel(
  via: Via,
  authority: string,
  serverName?: string,
): Promise<tls.TLSSocket> {
  const { socket, answer } = await openTunnel(via, authority);
  if (!answer.startsWith("HTTP/1.1 200")) throw new Error(`no tunnel: ${answer.split("\r\n", 1)[0]}`);
  const host = authority.replace(/:\d+$/, "");
  return new Promise((resolve, reject) => {
    const name = serverName ?? host;
    const secure = tls.connect({
      socket,
      ...(net.isIP(name.replace(/^\[|\]$/g, "")) === 0 ? { servername: name } : {}),
      ...(via.ca === undefined ? { rejectUnauthorized: false } : { ca: via.ca }),
      checkServerIdentity: () => undefined,
    });
    secure.once("secureConnect", () => resolve(secure));
    secure.once("error", reject);
  });
}

/** One request with a whole answer over a fresh TLS tunnel. */
export async function tunnelExchange(
  via: Via,
  authority: string,
  bytes: string | Buffer,
  ms?: number,
): Promise<string> {
  const socket = await openSecureTunnel(via, authority);
  socket.write(bytes);
  const answer = await readUntil(socket, isWholeAnswer, ms);
  socket.destroy();
  return answer;
}

export interface Answer {
  readonly status: number;
  readonly fields: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Status, fields (lower case) and body of a raw answer; chunked bodies are joined. */
export function parseAnswer(text: string): Answer {
  const end = text.indexOf("\r\n\r\n");
  const [statusLine = "", ...lines] = text.slice(0, end).split("\r\n");
  const fields: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(":");
    fields[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  const rest = text.slice(end + 4);
  const body = fields["transfer-encoding"] === "chunked" ? joinChunks(rest) : rest;
  return { status: Number(statusLine.split(" ")[1]), fields, body };
}

function joinChunks(text: string): string {
  let body = "";
  for (let at = 0; at < text.length;) {
    const lineEnd = text.indexOf("\r\n", at);
    const size = Number.parseInt(text.slice(at, lineEnd), 16);
    if (!(size > 0)) break;
    body += text.slice(lineEnd + 2, lineEnd + 2 + size);
    at = lineEnd + 2 + size + 2;
  }
  return body;
}
