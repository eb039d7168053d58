// Agents that call without pause through a gateway, also one that is killed under them: every call has an id of its own.
import { setTimeout as sleep } from "node:timers/promises";
import { type Connection, openConnection, type Route } from "../../bench/connection.ts";
import { basic } from "../support/client.ts";

export interface LoadOptions {
  /** of the gateway; asked at every new connection */
  readonly port: () => number;
  readonly token: string;
  /** PEM of the gateway's CA */
  readonly ca: string;
  readonly host: string;
  readonly connections: number;
  /** part of every id, so that loads do not share any */
  readonly name: string;
  /** first segment of the path: `k`, or `slow` */
  readonly kind?: "k" | "slow";
  /** ends by itself after so many calls */
  readonly requests?: number;
}

export interface Load {
  /** ids whose answer arrived whole, with status 200 */
  readonly answered: Set<string>;
  readonly failed: number;
  readonly sent: number;
  /** Lets the calls that run end, then closes. */
  stop(): Promise<void>;
  /** of all calls, where their number is bounded */
  readonly done: Promise<void>;
}

interface State {
  readonly answered: Set<string>;
  sent: number;
  failed: number;
  stopping: boolean;
}

/** after a failure, so that a gateway that is down is not asked in a tight loop */
const PAUSE_MS = 5;
const BODY = "b".repeat(512);
/** each so-manyth call is a POST with a body */
const POST_EVERY = 4;

export function startLoad(options: LoadOptions): Load {
  const state: State = { answered: new Set(), sent: 0, failed: 0, stopping: false };
  const workers = Array.from({ length: options.connections }, () => work(options, state));
  const done = Promise.all(workers).then(() => undefined);
  return {
    answered: state.answered,
    get failed() {
      return state.failed;
    },
    get sent() {
      return state.sent;
    },
    stop() {
      state.stopping = true;
      return done;
    },
    done,
  };
}

async function work(options: LoadOptions, state: State): Promise<void> {
  let connection: Connection | null = null;
  while (!state.stopping && state.sent < (options.requests ?? Infinity)) {
    const id = `${options.name}-${state.sent}`;
    const post = state.sent % POST_EVERY === 0;
    state.sent += 1;
    try {
      if (connection === null || connection.closed) connection = await openConnection(routeOf(options), null);
      await connection.send(requestOf(options, id, post));
      state.answered.add(id);
    } catch {
      state.failed += 1;
      await connection?.close();
      connection = null;
      await sleep(PAUSE_MS);
    }
  }
  await connection?.close();
}

function routeOf({ port, token, ca, host }: LoadOptions): Route {
  return { port: port(), direct: false, authority: `${host}:443`, proxyCredentials: basic(token), ca };
}

function requestOf({ host, kind = "k" }: LoadOptions, id: string, post: boolean): Buffer {
  const head = `/${kind}/${id} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer placeholder\r\n`;
  return Buffer.from(post ? `POST ${head}Content-Length: ${BODY.length}\r\n\r\n${BODY}` : `GET ${head}\r\n`);
}
