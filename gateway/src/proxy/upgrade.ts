// WebSocket after a permit (RFC 6455 section 4): nothing passes before a valid 101, then bytes are relayed as they are.
import { createHash } from "node:crypto";
import type { Duplex } from "node:stream";
import { limits } from "../limits.ts";
import { fieldValue, responseFields } from "./fields.ts";
import { type RefusalCode, refusal, renderRefusal } from "./refusal.ts";
import { writeRaw } from "./reply.ts";

/** RFC 6455 section 1.3 */
const HANDSHAKE_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

export interface UpgradeRelay {
  readonly client: Duplex;
  readonly origin: Duplex;
  readonly key: string;
  readonly status: number;
  readonly fields: readonly Buffer[];
  readonly onBytes: (direction: "request" | "response", count: number) => void;
  /** once, when both sides are gone */
  readonly onEnd: (problem: RefusalCode | null) => void;
}

export function relayUpgrade(relay: UpgradeRelay): { end(): void } {
  const { client, origin } = relay;
  const passed = responseFields(relay.fields);
  if (!isAccepted(relay, passed)) {
    origin.destroy();
    const { status, fields, body } = renderRefusal(refusal("origin_protocol_error", { close: true }));
    writeRaw(client, status, fields, body);
    relay.onEnd("origin_protocol_error");
    return { end: () => client.destroy() };
  }
  client.write(handshakeAnswer(passed));
  join(relay);
  return { end: () => destroyBoth(client, origin) };
}

function isAccepted({ key, status, fields }: UpgradeRelay, kept: readonly string[]): boolean {
  const accept = createHash("sha1")
    .update(key + HANDSHAKE_GUID)
    .digest("base64");
  const raw = fields.map((field) => field.toString("latin1"));
  return (
    status === 101 &&
    fieldValue(raw, "upgrade")?.toLowerCase() === "websocket" &&
    fieldValue(kept, "sec-websocket-accept") === accept
  );
}

function handshakeAnswer(fields: readonly string[]): string {
  const lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"];
  for (let i = 0; i + 1 < fields.length; i += 2) lines.push(`${fields[i]}: ${fields[i + 1]}`);
  return `${lines.join("\r\n")}\r\n\r\n`;
}

function join({ client, origin, onBytes, onEnd }: UpgradeRelay): void {
  let lastByteAt = performance.now();
  let open = true;
  const idle = setInterval(() => {
    if (performance.now() - lastByteAt > limits.upgradeIdleTimeoutMs) destroyBoth(client, origin);
  }, limits.upgradeIdleTimeoutMs / 10).unref();
  const finish = () => {
    if (!open) return;
    open = false;
    clearInterval(idle);
    destroyBoth(client, origin);
    onEnd(null);
  };
  const count = (direction: "request" | "response") => (chunk: Buffer) => {
    lastByteAt = performance.now();
    onBytes(direction, chunk.length);
  };
  client.on("data", count("request"));
  origin.on("data", count("response"));
  for (const socket of [client, origin]) {
    socket.on("error", finish);
    socket.on("close", finish);
  }
  client.pipe(origin);
  origin.pipe(client);
}

function destroyBoth(client: Duplex, origin: Duplex): void {
  client.destroy();
  origin.destroy();
}
