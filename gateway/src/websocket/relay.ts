// Two sockets joined after a valid 101: bytes pass through a filter each way, slow readers slow their peers, and the
// end of one side becomes the end of the other once it has what was sent.
import { randomBytes } from "node:crypto";
import type { Duplex } from "node:stream";
import { limits } from "../limits.ts";
import type { FrameFilter } from "./filter.ts";
import { closeFrame } from "./frames.ts";

export interface RelayParts {
  readonly client: Duplex;
  readonly origin: Duplex;
  readonly toOrigin: FrameFilter;
  readonly toClient: FrameFilter;
  readonly onBytes: (direction: "request" | "response", count: number) => void;
  /** once, when both sides are gone; true = one of them did not speak the protocol */
  readonly onEnd: (broken: boolean) => void;
}

/** RFC 6455 section 7.4.1 */
const GOING_AWAY = 1001;
const PROTOCOL_ERROR = 1002;
const POLICY_VIOLATION = 1008;
const LINGER_MS = 1_000;

export interface Relay {
  end(reason: "revoked" | "stopped"): void;
}

export function relayFrames(parts: RelayParts): Relay {
  const { client, origin, onEnd } = parts;
  const activity = { at: performance.now() };
  let open = true;
  let broken = false;
  const finish = () => {
    if (!open || !client.destroyed || !origin.destroyed) return;
    open = false;
    clearInterval(idle);
    onEnd(broken);
  };
  const close = (code: number, reason: string) => {
    sayGoodbye(parts, code, reason);
    linger(client);
    linger(origin);
  };
  const fail = () => {
    broken = true;
    close(PROTOCOL_ERROR, "not a WebSocket message");
  };
  const idle = setInterval(() => {
    if (performance.now() - activity.at > limits.upgradeIdleTimeoutMs) close(GOING_AWAY, "idle");
  }, limits.upgradeIdleTimeoutMs / 10).unref();
  const count = (direction: "request" | "response", bytes: number) => {
    activity.at = performance.now();
    parts.onBytes(direction, bytes);
  };
  pass({ from: client, to: origin, filter: parts.toOrigin, count: (n) => count("request", n), fail });
  pass({ from: origin, to: client, filter: parts.toClient, count: (n) => count("response", n), fail });
  for (const socket of [client, origin]) socket.on("close", finish);
  return {
    end: (reason) =>
      reason === "revoked"
        ? close(POLICY_VIOLATION, "the right to this connection was withdrawn")
        : close(GOING_AWAY, "the gateway is restarting"),
  };
}

interface Direction {
  readonly from: Duplex;
  readonly to: Duplex;
  readonly filter: FrameFilter;
  readonly count: (bytes: number) => void;
  readonly fail: () => void;
}

function pass({ from, to, filter, count, fail }: Direction): void {
  from.on("data", (chunk: Buffer) => {
    count(chunk.length);
    if (to.writableEnded || to.destroyed) return;
    try {
      const passed = filter.push(chunk);
      if (passed.length > 0 && !to.write(passed)) from.pause();
    } catch {
      fail();
    }
  });
  to.on("drain", () => from.resume());
  from.on("end", () => {
    if (!to.writableEnded && !to.destroyed) to.end(filter.end());
  });
  from.on("error", () => from.destroy());
  from.on("close", () => linger(to));
  from.resume();
}

/** A close frame may only stand between two frames; in the middle of one the connection is just cut. */
function sayGoodbye({ client, origin, toClient, toOrigin }: RelayParts, code: number, reason: string): void {
  if (toClient.atBoundary && client.writable) client.write(closeFrame(code, reason, null));
  if (toOrigin.atBoundary && origin.writable) origin.write(closeFrame(code, reason, randomBytes(4)));
}

/** What was written may still arrive; after that the socket goes. */
function linger(socket: Duplex): void {
  if (socket.destroyed) return;
  if (!socket.writableEnded) socket.end();
  socket.resume();
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}
