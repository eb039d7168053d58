// One client connection of the load generator: CONNECT, TLS, then one request at a time, with as little work as possible.
import net from "node:net";
import tls from "node:tls";

export interface Route {
  /** the proxy, or the origin itself when `authority` is reached directly */
  readonly port: number;
  readonly direct: boolean;
  /** `name:port` of the origin */
  readonly authority: string;
  /** value of the Proxy-Authorization field */
  readonly proxyCredentials: string;
  /** value of the Authorization field; a fake key unless told */
  readonly authorization?: string;
  /** PEM */
  readonly ca: string;
}

export interface Connection {
  readonly closed: boolean;
  readonly resumed: boolean;
  /** TLS session of this connection, once the server has sent one */
  session(): Buffer | null;
  /** Resolves when the whole answer is here; rejects when it is not a 200. */
  send(request: Buffer): Promise<void>;
  close(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 10_000;
const HEAD_END = "\r\n\r\n";

export async function openConnection(route: Route, session: Buffer | null): Promise<Connection> {
  return openTls(route, session, connectionOn);
}

/** `attach` is called before the handshake, lest it miss a session. */
export async function openTls<T>(
  route: Route,
  session: Buffer | null,
  attach: (socket: tls.TLSSocket) => T,
): Promise<T> {
  const socket = net.connect({ port: route.port, host: "127.0.0.1", noDelay: true });
  const timer = setTimeout(() => socket.destroy(new Error("no connection in time")), CONNECT_TIMEOUT_MS);
  try {
    await event(socket, "connect");
    if (!route.direct) await tunnel(socket, route);
    const secure = tls.connect({
      socket,
      servername: route.authority.replace(/:.*/, ""),
      secureContext: contextOf(route.ca),
      ALPNProtocols: ["http/1.1"],
      ...(session === null ? {} : { session }),
    });
    const opened = attach(secure);
    await event(secure, "secureConnect");
    return opened;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

// Parsing the PEM at every connection would make the load generator the bottleneck.
const contexts = new Map<string, tls.SecureContext>();
function contextOf(ca: string): tls.SecureContext {
  const context = contexts.get(ca) ?? tls.createSecureContext({ ca });
  contexts.set(ca, context);
  return context;
}

async function tunnel(socket: net.Socket, { authority, proxyCredentials }: Route): Promise<void> {
  socket.write(
    `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\nProxy-Authorization: ${proxyCredentials}\r\n\r\n`,
  );
  let head = "";
  while (!head.includes(HEAD_END)) head += ((await event(socket, "data")) as Buffer).toString("latin1");
  if (!head.startsWith("HTTP/1.1 200")) throw new Error(`CONNECT was answered: ${firstLine(head)}`);
}

function event(socket: net.Socket, name: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const done = (value: unknown): void => {
      socket.removeListener("error", failed);
      socket.removeListener("close", closed);
      if (name === "data") socket.pause();
      resolve(value);
    };
    const failed = (error: Error): void => reject(error);
    const closed = (): void => reject(new Error(`closed before ${name}`));
    socket.once(name, done).once("error", failed).once("close", closed);
    if (name === "data") socket.resume();
  });
}

interface Pending {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

function connectionOn(socket: tls.TLSSocket): Connection {
  let pending: Pending | null = null;
  let head: Buffer | null = null;
  /** bytes of the body that are missing; null = the head is */
  let missing: number | null = null;
  let session: Buffer | null = null;
  const fail = (error: Error): void => {
    pending?.reject(error);
    pending = null;
    socket.destroy();
  };
  socket.on("session", (ticket: Buffer) => (session = ticket));
  socket.on("error", fail);
  socket.on("close", () => fail(new Error("the connection was closed before the answer was whole")));
  socket.on("data", (chunk: Buffer) => {
    if (missing === null) {
      const bytes: Buffer = head === null ? chunk : Buffer.concat([head, chunk]);
      const end = bytes.indexOf(HEAD_END);
      if (end < 0) return void (head = bytes);
      head = null;
      const length = contentLength(bytes.toString("latin1", 0, end));
      if (length instanceof Error) return fail(length);
      missing = length - (bytes.length - end - HEAD_END.length);
    } else missing -= chunk.length;
    if (missing > 0) return;
    missing = null;
    const answered = pending;
    pending = null;
    answered?.resolve();
  });
  return {
    get closed() {
      return socket.destroyed || socket.readableEnded;
    },
    get resumed() {
      return socket.isSessionReused();
    },
    session: () => session,
    send: (request) =>
      new Promise((resolve, reject) => {
        pending = { resolve, reject };
        socket.write(request);
      }),
    close: () =>
      new Promise((resolve) => {
        if (socket.destroyed) return resolve();
        socket.once("close", () => resolve());
        socket.end();
        socket.resume();
      }),
  };
}

function contentLength(head: string): number | Error {
  if (!head.startsWith("HTTP/1.1 200")) return new Error(`the answer was: ${firstLine(head)}`);
  const found = /content-length: *(\d+)/i.exec(head)?.[1];
  return found === undefined ? new Error("an answer without Content-Length") : Number(found);
}

function firstLine(head: string): string {
  return head.split("\r\n", 1)[0] ?? "";
}
