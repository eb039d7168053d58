// The load generator, a process of its own: closed loop (a connection's next request follows its last answer).
import { type Connection, openConnection, type Route } from "./connection.ts";
import { answerParent } from "./parent.ts";

export interface LoadRequest {
  readonly route: Route;
  readonly connections: number;
  /** ends at this many ms … */
  readonly ms?: number;
  /** … or after this many requests */
  readonly requests?: number;
  readonly latencies?: boolean;
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

export interface ConnectResult {
  readonly count: number;
  readonly resumed: number;
}

const requestBody = JSON.stringify({ model: "bench", messages: [{ role: "user", content: "say ok" }] });
const kept = new Map<string, Connection[]>();
const sessions = new Map<number, Buffer>();
const answers = new Map<number, number>();

function requestsFor({ authority }: Route): readonly [Buffer, Buffer] {
  const fields = `Host: ${authority}\r\nUser-Agent: bench\r\nAccept: application/json\r\nAuthorization: Bearer placeholder\r\n`;
  const type = `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(requestBody)}\r\n`;
  return [
    Buffer.from(`GET /v1/items/17?limit=6 HTTP/1.1\r\n${fields}\r\n`),
    Buffer.from(`POST /v1/messages HTTP/1.1\r\n${fields}${type}\r\n${requestBody}`),
  ];
}

/** So that no connection is set up while requests are measured. */
async function open({ route, connections }: LoadRequest): Promise<void> {
  const key = `${route.port}`;
  const alive = (kept.get(key) ?? []).filter(({ closed }) => !closed);
  while (alive.length < connections) alive.push(await openConnection(route, null));
  kept.set(key, alive);
}

async function run(load: LoadRequest): Promise<LoadResult> {
  const { route, connections, ms = Infinity, requests = Infinity } = load;
  const pair = requestsFor(route);
  const latencies: number[] = [];
  const startedAt = performance.now();
  const until = startedAt + ms;
  let sent = 0;
  const worker = async (connection: Connection, index: number): Promise<void> => {
    let before = performance.now();
    for (let n = index; before < until && sent < requests; n += 1) {
      sent += 1;
      await connection.send(pair[n % 2] as Buffer);
      const now = performance.now();
      if (load.latencies === true) latencies.push(now - before);
      before = now;
    }
  };
  await Promise.all((kept.get(`${route.port}`) ?? []).slice(0, connections).map(worker));
  tally(route.port, sent);
  return { requests: sent, ms: performance.now() - startedAt, latencies };
}

async function connect({ route, count, concurrency, resume }: ConnectRequest): Promise<ConnectResult> {
  const [request] = requestsFor(route);
  let started = 0;
  let resumed = 0;
  const worker = async (): Promise<void> => {
    while (started < count) {
      started += 1;
      const connection = await openConnection(route, resume ? (sessions.get(route.port) ?? null) : null);
      await connection.send(request);
      if (connection.resumed) resumed += 1;
      const session = connection.session();
      if (session !== null) sessions.set(route.port, session);
      await connection.close();
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  tally(route.port, started);
  return { count: started, resumed };
}

/** requests answered so far, by the port they went to */
function answered(port: number): number {
  return answers.get(port) ?? 0;
}

function tally(port: number, more: number): void {
  answers.set(port, answered(port) + more);
}

answerParent({ open, run, connect, answered });
