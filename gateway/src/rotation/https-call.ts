// One HTTPS call of the gateway's own, through the guarded dialer; redirects are answers like any other.
import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import type { buildConnector, Client } from "undici";
import { limits } from "../limits.ts";
import { DialError, type Dialer } from "../origin/contract.ts";
import { formatAuthority, parseAuthority } from "../target/authority.ts";
import type { Authority, Target } from "../target/contract.ts";
import { parseTarget } from "../target/path.ts";
import { RotationError, interruption } from "./error.ts";
import { rotationLimits } from "./limits.ts";

const HTTPS_PORT = 443;

export interface Destination {
  readonly authority: Authority;
  readonly target: Target;
}

export interface HttpsCall {
  readonly dialer: Dialer;
  readonly authority: Authority;
  readonly method: "GET" | "POST";
  readonly path: string;
  /** name, value, name, value … */
  readonly fields: string[];
  readonly body: string | null;
  readonly signal: AbortSignal;
}

export interface HttpsAnswer {
  readonly status: number;
  readonly body: Readable;
}

/** @throws RotationError naming at most the host */
export async function callHttps<T>(call: HttpsCall, read: (answer: HttpsAnswer) => Promise<T>): Promise<T> {
  const client = await openClient(call);
  try {
    const { method, path, fields, body, signal } = call;
    const answer = await client.request({ method, path, headers: fields, body, signal, reset: true });
    // Cut off below when it is not read to its end.
    answer.body.on("error", () => undefined);
    return await read({ status: answer.statusCode, body: answer.body });
  } catch (error) {
    throw failure(call, error);
  } finally {
    await client.destroy().catch(() => undefined);
  }
}

/** @param what for the message, e.g. `the webhook` */
export function parseDestination(text: string, what: string): Destination {
  const url = URL.parse(text);
  const authority = url === null ? null : parseAuthority(url.host, HTTPS_PORT);
  const target = url === null ? null : parseTarget(url.pathname + url.search);
  if (url?.protocol !== "https:" || authority === null || target === null) {
    throw new RotationError(`the URL of ${what} is not an https URL that can be called`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new RotationError(`the URL of ${what} must not hold a user name or password`);
  }
  return { authority, target };
}

/** The client is seldom needed, so it is loaded when it is. */
async function openClient({ dialer, authority, signal }: HttpsCall): Promise<Client> {
  const undici = await import("undici");
  return new undici.Client(`https://${formatAuthority(authority, HTTPS_PORT)}`, {
    allowH2: false,
    pipelining: 1,
    headersTimeout: rotationLimits.stepTimeoutMs,
    bodyTimeout: rotationLimits.stepTimeoutMs,
    maxHeaderSize: limits.originHeaderBytesMax,
    strictContentLength: true,
    connect: (_options, callback) => void connect(dialer.dial({ authority, secure: true, signal }), callback),
  });
}

async function connect(dialing: Promise<Socket>, callback: buildConnector.Callback): Promise<void> {
  let socket: Socket;
  try {
    socket = await dialing;
  } catch (error) {
    callback(error instanceof Error ? error : new Error("dial failed"), null);
    return;
  }
  callback(null, socket);
}

/** Without a cause: the parser's errors carry the bytes that they failed on. */
function failure({ authority, signal }: HttpsCall, error: unknown): RotationError {
  if (error instanceof RotationError) return error;
  if (signal.aborted) return interruption(signal, authority.host);
  if (error instanceof DialError) return new RotationError(error.message);
  const { code } = error as NodeJS.ErrnoException;
  return new RotationError(`no usable answer from ${authority.host} (${code ?? "unknown error"})`);
}
