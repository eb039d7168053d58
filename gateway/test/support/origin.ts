// A real HTTP/1.1 origin on loopback for tests: records every byte it was sent and answers as the test says.
import {
  type IncomingMessage,
  type Server as HttpServer,
  type ServerResponse,
  createServer,
} from "node:http";
import { type AddressInfo, type Server, type Socket, createServer as createTcpServer } from "node:net";
import { type TlsOptions, createServer as createTlsServer } from "node:tls";
import { testAuthority } from "./test-authority.ts";

export interface OriginOptions {
  readonly tls: boolean;
  /** names and addresses in the certificate; 127.0.0.1 and localhost when empty */
  readonly names?: readonly string[];
  /** replaces certificate, versions, ciphers … */
  readonly tlsOptions?: TlsOptions;
  /** address to listen on; 127.0.0.1 when absent */
  readonly host?: string;
  /** a free one when absent */
  readonly port?: number;
}

export interface RecordedRequest {
  readonly method: string;
  readonly url: string;
  /** name, value, name, value … as received */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  /** everything the connection carried so far, pipelined requests included */
  readonly rawBytes: Buffer;
}

export interface RecordedConnection {
  /** application bytes received (after TLS) */
  readonly rawBytes: Buffer;
  readonly serverName: string | null;
  readonly closed: boolean;
  /** TLS: the session was resumed */
  readonly resumed: boolean;
}

export type OriginHandler = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void;

export interface Origin {
  readonly port: number;
  /** PEM of the authority that signed the origin's certificate */
  readonly ca: string;
  readonly requests: readonly RecordedRequest[];
  /** connections whose handshake completed (plain: accepted) */
  readonly connections: readonly RecordedConnection[];
  /** TCP connections accepted, handshakes that failed included */
  readonly accepted: number;
  /** TCP connections open now */
  readonly open: number;
  /** application bytes over all connections */
  readonly receivedBytes: number;
  /** for 'upgrade', 'checkContinue' and the like */
  readonly http: HttpServer;
  /** Replaces the handler (default: 200 with `ok`); called once the request body is complete. */
  handle(handler: OriginHandler): void;
  /**
   * From now on, whatever a connection's first bytes are, these are the answer, byte for byte, and then the connection
   * is ended unless `end` is false. `null` goes back to the handler. The requests are not parsed meanwhile.
   */
  respondRaw(bytes: string | Buffer | null, options?: { readonly end?: boolean }): void;
  /** Waits until `count` requests are recorded. */
  waitForRequests(count: number): Promise<void>;
  close(): Promise<void>;
}

export async function startOrigin(options: OriginOptions): Promise<Origin> {
  const recorder = createRecorder();
  const http = createServer({ keepAliveTimeout: 0 }, (request, response) =>
    record(recorder, request, response),
  );
  const onConnection = (socket: Socket) => accept(recorder, http, socket);
  const server = options.tls
    ? createTlsServer(tlsOptions(options), onConnection)
    : createTcpServer(onConnection);
  server.on("tlsClientError", (_error: Error, socket: Socket) => socket.destroy());
  countSockets(recorder, server);
  server.on("listening", () => http.emit("listening"));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, options.host ?? "127.0.0.1", resolve);
  });
  return originOf(recorder, server, http);
}

interface Connection extends RecordedConnection {
  rawBytes: Buffer;
  closed: boolean;
}

interface Recorder {
  readonly requests: RecordedRequest[];
  readonly connections: Connection[];
  readonly bySocket: WeakMap<Socket, Connection>;
  readonly sockets: Set<Socket>;
  readonly waiting: Set<() => void>;
  accepted: number;
  handler: OriginHandler;
  raw: { readonly bytes: Buffer; readonly end: boolean } | null;
}

function createRecorder(): Recorder {
  return {
    requests: [],
    connections: [],
    bySocket: new WeakMap(),
    sockets: new Set(),
    waiting: new Set(),
    accepted: 0,
    handler: (_request, response) => response.end("ok"),
    raw: null,
  };
}

function originOf(recorder: Recorder, server: Server, http: HttpServer): Origin {
  return {
    port: (server.address() as AddressInfo).port,
    ca: testAuthority().ca,
    requests: recorder.requests,
    connections: recorder.connections,
    get accepted() {
      return recorder.accepted;
    },
    get open() {
      return recorder.sockets.size;
    },
    get receivedBytes() {
      return recorder.connections.reduce((sum, connection) => sum + connection.rawBytes.length, 0);
    },
    http,
    handle(handler) {
      recorder.handler = handler;
    },
    respondRaw(bytes, { end = true } = {}) {
      recorder.raw = bytes === null ? null : { bytes: Buffer.from(bytes as string), end };
    },
    waitForRequests: (count) => waitForRequests(recorder, count),
    close: () => close(recorder, server, http),
  };
}

function tlsOptions({ names = [], tlsOptions }: OriginOptions): TlsOptions {
  const issued = testAuthority().issue({ names: names.length > 0 ? names : ["localhost", "127.0.0.1"] });
  return { ...issued, ...tlsOptions };
}

function countSockets(recorder: Recorder, server: Server): void {
  // For a tls.Server 'connection' is the TCP socket, before the handshake.
  server.on("connection", (socket: Socket) => {
    recorder.accepted += 1;
    recorder.sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => recorder.sockets.delete(socket));
  });
}

function accept(recorder: Recorder, http: HttpServer, socket: Socket): void {
  const connection = connectionOf(socket);
  recorder.connections.push(connection);
  recorder.bySocket.set(socket, connection);
  socket.on("error", () => socket.destroy());
  socket.on("close", () => (connection.closed = true));
  const raw = recorder.raw;
  if (raw === null) serve(http, socket, connection);
  else answerRaw(socket, connection, raw);
}

function connectionOf(socket: Socket): Connection {
  const tls = socket as Socket & { servername?: string | false; isSessionReused?: () => boolean };
  return {
    rawBytes: Buffer.alloc(0),
    serverName: typeof tls.servername === "string" ? tls.servername : null,
    resumed: tls.isSessionReused?.() ?? false,
    closed: false,
  };
}

function serve(http: HttpServer, socket: Socket, connection: Connection): void {
  http.emit("connection", socket);
  // node:http reads from the handle, past 'data'; a listener added with `on` makes it use 'data' itself.
  socket.on("data", () => {});
  socket.prependListener("data", (chunk: Buffer) => recordBytes(connection, chunk));
}

function recordBytes(connection: Connection, chunk: Buffer): void {
  connection.rawBytes = Buffer.concat([connection.rawBytes, chunk]);
}

function answerRaw(socket: Socket, connection: Connection, raw: NonNullable<Recorder["raw"]>): void {
  socket.once("data", () => (raw.end ? socket.end(raw.bytes) : socket.write(raw.bytes)));
  socket.on("data", (chunk: Buffer) => recordBytes(connection, chunk));
}

function record(recorder: Recorder, request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = [];
  request.on("error", () => response.destroy());
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const body = Buffer.concat(chunks);
    const rawBytes = recorder.bySocket.get(request.socket)?.rawBytes ?? Buffer.alloc(0);
    const { method = "", url = "", rawHeaders } = request;
    recorder.requests.push({ method, url, rawHeaders, body, rawBytes });
    for (const wake of recorder.waiting) wake();
    recorder.handler(request, response, body);
  });
}

async function waitForRequests(recorder: Recorder, count: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const check = () => {
      if (recorder.requests.length < count) return;
      recorder.waiting.delete(check);
      resolve();
    };
    recorder.waiting.add(check);
    check();
  });
}

async function close(recorder: Recorder, server: Server, http: HttpServer): Promise<void> {
  http.close();
  for (const socket of recorder.sockets) socket.destroy();
  await new Promise<void>((resolve) => server.close(() => resolve()));
}
