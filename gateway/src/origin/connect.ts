// One TCP connection to the first of several checked addresses that answers (RFC 8305 section 5, "Happy Eyeballs").
import type { Socket } from "node:net";
import { limits } from "../limits.ts";
import { sameAddress } from "./address.ts";
import { DialError } from "./contract.ts";
import type { Endpoint } from "./endpoint.ts";

export interface ConnectOptions {
  readonly endpoints: readonly Endpoint[];
  readonly connect: (endpoint: Endpoint) => Socket;
  /** all attempts are given up when it fires */
  readonly signal: AbortSignal;
}

/**
 * Starts with the first address and tries the next one when an attempt fails or is slow; every socket but the winner is
 * destroyed. Rejects with the last attempt's error, or the signal's reason.
 */
export function connectFirst({ endpoints, connect, signal }: ConnectOptions): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const remaining = [...endpoints];
    const attempts = new Set<Socket>();
    let timer: NodeJS.Timeout | undefined;

    const settle = (winner?: Socket): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      remaining.length = 0;
      for (const socket of attempts) if (socket !== winner) socket.destroy();
      attempts.clear();
    };
    const abort = (): void => {
      settle();
      reject(signal.reason as Error);
    };
    const failed = (socket: Socket, error: Error): void => {
      socket.destroy();
      if (!attempts.delete(socket)) return;
      if (remaining.length > 0) return tryNext();
      if (attempts.size > 0) return;
      settle();
      reject(error);
    };
    const connected = (socket: Socket, endpoint: Endpoint): void => {
      if (!attempts.has(socket)) return void socket.destroy();
      if (!reached(socket, endpoint)) {
        settle();
        return reject(new DialError("destination_not_allowed", "the connection went to another address"));
      }
      settle(socket);
      resolve(socket);
    };
    const tryNext = (): void => {
      clearTimeout(timer);
      const endpoint = remaining.shift();
      if (endpoint === undefined) return;
      const socket = connect(endpoint);
      attempts.add(socket);
      // Stays for good: a socket that fails between two owners must not take the process down.
      socket.on("error", (error) => failed(socket, error));
      socket.once("connect", () => connected(socket, endpoint));
      if (remaining.length > 0) timer = setTimeout(tryNext, limits.originConnectAttemptDelayMs);
    };

    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort, { once: true });
    tryNext();
  });
}

function reached(socket: Socket, endpoint: Endpoint): boolean {
  const { remoteAddress, remotePort } = socket;
  return (
    remoteAddress !== undefined &&
    remotePort === endpoint.port &&
    sameAddress(remoteAddress.replace(/%.*$/, ""), endpoint.address)
  );
}
