// The only way out: resolve once, check every address, connect to a checked one, verify what was connected to.
import { type Socket, connect as connectTcp } from "node:net";
import { type SecureContext, type TLSSocket, connect as connectTls } from "node:tls";
import { limits } from "../limits.ts";
import type { Authority } from "../target/contract.ts";
import type { AddressGuard } from "./address-guard.ts";
import { connectFirst } from "./connect.ts";
import { DialError, type DialRequest, type Dialer } from "./contract.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Resolver } from "./resolve.ts";
import { type SessionCache, createSessionCache, handshakeFailure, trustedContext } from "./verify.ts";

export interface DialerOptions {
  readonly resolver: Resolver;
  readonly guard: AddressGuard;
  /** PEM, trusted besides the bundled and the system's authorities */
  readonly extraCa: string | null;
  /** opens a TCP connection; a test puts one here that goes elsewhere */
  readonly connect?: (endpoint: Endpoint) => Socket;
  /** for everything from the name to the verified certificate */
  readonly connectTimeoutMs?: number;
  /** `ms`, monotonic; sessions age by it */
  readonly now?: () => number;
}

/**
 * A dial rejects with DialError, or with the reason of the request's own signal. The socket it gives is connected to a
 * checked address and, when secure, verified: nothing of the caller's was written before that.
 * @throws RangeError when `extraCa` can't be read
 */
export function createDialer(options: DialerOptions): Dialer {
  const dependencies: Dependencies = {
    resolver: options.resolver,
    guard: options.guard,
    connect: options.connect ?? connectTo,
    context: trustedContext(options.extraCa),
    sessions: createSessionCache(options.now ?? (() => performance.now())),
  };
  const timeoutMs = options.connectTimeoutMs ?? limits.originConnectTimeoutMs;
  return {
    dial: (request) => withDeadline(request, timeoutMs, (signal) => dial(dependencies, request, signal)),
  };
}

interface Dependencies {
  readonly resolver: Resolver;
  readonly guard: AddressGuard;
  readonly connect: (endpoint: Endpoint) => Socket;
  readonly context: () => SecureContext;
  readonly sessions: SessionCache;
}

async function dial(dependencies: Dependencies, request: DialRequest, signal: AbortSignal): Promise<Socket> {
  const { authority, secure } = request;
  const endpoints = await dependencies.resolver.resolve(authority, signal);
  checkAll(dependencies.guard, authority, endpoints);
  const { connect } = dependencies;
  const socket = await connectFirst({ endpoints, connect, signal }).catch((error: unknown) => {
    throw connectFailure(authority, error);
  });
  return secure ? await verified(dependencies, { authority, socket, signal }) : socket;
}

/** One refused address refuses the call: a name that mixes public and internal ones is being rebound. */
function checkAll(guard: AddressGuard, authority: Authority, endpoints: readonly Endpoint[]): void {
  if (endpoints.length > 0 && endpoints.every((endpoint) => guard.permits(authority, endpoint))) return;
  throw new DialError(
    "destination_not_allowed",
    `${authority.host} is at an address that is private, special or the gateway's own`,
  );
}

interface Handshake {
  readonly authority: Authority;
  readonly socket: Socket;
  readonly signal: AbortSignal;
}

function verified(dependencies: Dependencies, { authority, socket, signal }: Handshake): Promise<TLSSocket> {
  const { sessions } = dependencies;
  const key = `${authority.host}:${authority.port}`;
  return new Promise((resolve, reject) => {
    const tls = startTls(dependencies, authority, socket);
    let settled = false;
    const settle = (): boolean => {
      if (settled) return false;
      signal.removeEventListener("abort", abort);
      return (settled = true);
    };
    const fail = (error: Error): void => {
      tls.destroy();
      socket.destroy();
      if (!settle()) return;
      sessions.forget(key);
      reject(error);
    };
    const abort = (): void => fail(signal.reason as Error);
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) return abort();
    sessions.keep(key, tls);
    // Stays for good: a socket that fails between two owners must not take the process down.
    tls.on("error", (error) => fail(tlsFailure(authority, error)));
    tls.once("close", () => fail(tlsFailure(authority, { code: "ECONNRESET" })));
    tls.once("secureConnect", () => {
      if (!tls.authorized) return fail(tlsFailure(authority, {}));
      if (!settle()) return;
      // A second handshake could show another certificate that nobody verifies.
      tls.disableRenegotiation();
      resolve(tls);
    });
  });
}

function startTls(
  { context, sessions }: Dependencies,
  { host, port, kind }: Authority,
  socket: Socket,
): TLSSocket {
  const session = sessions.get(`${host}:${port}`);
  return connectTls({
    socket,
    // `host` is what the certificate is verified against, names and addresses alike (RFC 9110 section 4.3.4).
    host,
    // No server name for addresses (RFC 6066 section 3).
    servername: kind === "name" ? host : "",
    // Explicit, so that NODE_TLS_REJECT_UNAUTHORIZED=0 changes nothing.
    rejectUnauthorized: true,
    secureContext: context(),
    ALPNProtocols: ["http/1.1"],
    minDHSize: 2048,
    ...(session === undefined ? {} : { session }),
  });
}

function connectTo({ address, port }: Endpoint): Socket {
  return connectTcp({
    host: address,
    port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: limits.originKeepAliveMs,
  });
}

/** Turns time into `origin_timeout`; the caller's own signal keeps its reason. */
async function withDeadline(
  { authority, signal }: DialRequest,
  timeoutMs: number,
  work: (signal: AbortSignal) => Promise<Socket>,
): Promise<Socket> {
  const deadline = new AbortController();
  const abort = (): void => deadline.abort(signal?.reason);
  const timer = setTimeout(() => deadline.abort(timeout(authority)), timeoutMs);
  signal?.addEventListener("abort", abort, { once: true });
  if (signal?.aborted === true) abort();
  try {
    deadline.signal.throwIfAborted();
    return await work(deadline.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}

function timeout({ host }: Authority): DialError {
  return new DialError("origin_timeout", `${host} did not answer in time`);
}

const CONNECT_REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "it refused the connection",
  ECONNRESET: "it closed the connection",
  ENETUNREACH: "there is no route to it",
  EHOSTUNREACH: "there is no route to it",
};

function connectFailure({ host }: Authority, error: unknown): unknown {
  if (error instanceof DialError) return error;
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (syscall === undefined) return error;
  if (code === "ETIMEDOUT")
    return new DialError("origin_timeout", `${host} did not answer in time`, { cause: error });
  const why = CONNECT_REASONS[code ?? ""] ?? "the connection failed";
  return new DialError("origin_unreachable", `${host} can't be reached: ${why}`, { cause: error });
}

function tlsFailure({ host }: Authority, error: Partial<NodeJS.ErrnoException>): DialError {
  const why = handshakeFailure(error);
  return new DialError("origin_tls_error", `no verified connection to ${host}: ${why}`, { cause: error });
}
