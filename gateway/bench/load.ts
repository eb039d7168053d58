// The load generator, a process of its own: closed loop (a connection's next request follows its last answer).
import { type Connection, openConnection, openTls, type Route } from "./connection.ts";
import { eventsOn } from "./events.ts";
import { answerParent } from "./parent.ts";
import { EVENT_PATH } from "./paths.ts";

export interface LoadRequest {
  readonly route: Route;
  readonly connections: number;
  /** ends at this many ms … */
  readonly ms?: number;
  /** … or after this many requests */
  readonly requests?: number;
  readonly latencies?: boolean;
  /** GET this only */
  readonly path?: string;
}

export interface LoadResult {
  readonly requests: number;
  readonly ms: number;
  /** ms; empty unless asked for */
  readonly latencies: readonly number[];
}

export interface ConnectRequest {
  readonly route: Route;
  /** connections to open, one request each */
  readonly count: number;
  readonly concurrency: number;
  /** offer the session of an earlier connection */
  readonly resume: boolean;
}

export interface EventsRequest {
  readonly route: Route;
  readonly count: number;
}

export interface ConnectResult {
  readonly count: number;
  readonly resumed: number;
}

const requestBody = JSON.stringify({ model: "bench", messages: [{ role: "user", content: "say ok" }] });
const kept = new Map<string, Connection[]>();
const sessions = new Map<string, Buffer>();
const answers = new Map<string, number>();

/** One gateway is reached by two names: what is kept, is kept by both. */
function keyOf({ port, authority }: Route): string {
  return `${port} ${authority}`;
}

function get(route: Route, path: string): Buffer {
  return Buffer.from(`GET ${path} HTTP/1.1\r\n${fieldsFor(route)}\r\n`);
}

function fieldsFor({ authority, authorization = "Bearer placeholder" }: Route): string {
  return `Host: ${authority}\r\nUser-Agent: bench\r\nAccept: application/json\r\nAuthorization: ${authorization}\r\n`;
}

function requestsFor(route: Route): readonly [Buffer, Buffer] {
  const type = `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(requestBody)}\r\n`;
  return [
    get(route, "/v1/items/17?limit=6"),
    Buffer.from(`POST /v1/messages HTTP/1.1\r\n${fieldsFor(route)}${type}\r\n${requestBody}`),
  ];
}

/** So that no connection is set up while requests are measured. */
async function open({ route, connections }: LoadRequest): Promise<void> {
  const key = keyOf(route);
  const alive = (kept.get(key) ?? []).filter(({ closed }) => !closed);
  while (alive.length < connections) alive.push(await openConnection(route, null));
  kept.set(key, alive);
}

async function run(load: LoadRequest): Promise<LoadResult> {
  const { route, connections, ms = Infinity, requests = Infinity, path } = load;
  const pair = path === undefined ? requestsFor(route) : [get(route, path)];
  const latencies: number[] = [];
  const startedAt = performance.now();
  const until = startedAt + ms;
  let sent = 0;
  const worker = async (connection: Connection, index: number): Promise<void> => {
    let before = performance.now();
    for (let n = index; before < until && sent < requests; n += 1) {
      sent += 1;
      await connection.send(pair[n % pair.length] as Buffer);
      const now = performance.now();
      if (load.latencies === true) latencies.push(now - before);
      before = now;
    }
  };
  await Promise.all((kept.get(keyOf(route)) ?? []).slice(0, connections).map(worker));
  tally(route, sent);
  return { requests: sent, ms: performance.now() - startedAt, latencies };
}

async function connect({ route, count, concurrency, resume }: ConnectRequest): Promise<ConnectResult> {
  const [request] = requestsFor(route);
  let started = 0;
  let resumed = 0;
  const worker = async (): Promise<void> => {
    while (started < count) {
      started += 1;
      const connection = await openConnection(route, resume ? (sessions.get(keyOf(route)) ?? null) : null);
      await connection.send(request);
      if (connection.resumed) resumed += 1;
      const session = connection.session();
      if (session !== null) sessions.set(keyOf(route), session);
      await connection.close();
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  tally(route, started);
  return { count: started, resumed };
}

/** ms to the event of each of `count` streams, on one connection that an uncounted stream has opened all the way */
async function firstEvents({ route, count }: EventsRequest): Promise<number[]> {
  const stream = await openTls(route, null, eventsOn);
  const request = get(route, EVENT_PATH);
  const found: number[] = [];
  for (let n = 0; n <= count; n += 1) found.push(await stream.firstEvent(request));
  stream.close();
  tally(route, found.length);
  return found.slice(1);
}

/** requests answered so far on the way */
function answered(route: Route): number {
  return answers.get(keyOf(route)) ?? 0;
}

function tally(route: Route, more: number): void {
  answers.set(keyOf(route), answered(route) + more);
}

answerParent({ open, run, connect, firstEvents, answered });
