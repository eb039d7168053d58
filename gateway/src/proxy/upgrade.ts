// WebSocket after a permit (RFC 6455 section 4): nothing passes before a valid 101, then bytes are relayed as they are.
import { createHash } from "node:crypto";
import type { Duplex } from "node:stream";
import { scrubFields } from "../scrub/reply.ts";
import type { Scrubber } from "../scrub/scrubber.ts";
import { passFrames } from "../websocket/filter.ts";
import { type Relay, relayFrames } from "../websocket/relay.ts";
import { rewriteFrames, type RewriteText } from "../websocket/rewrite-frames.ts";
import { scrubFrames } from "../websocket/scrub-frames.ts";
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
  /** takes placed values out of what the origin says; null = none were placed */
  readonly scrubber: Scrubber | null;
  /** exchanges fake keys in the client's text messages; null = they pass as they are */
  readonly rewrite: RewriteText | null;
}

export function relayUpgrade(relay: UpgradeRelay): Relay {
  const { client, origin, scrubber, rewrite } = relay;
  const received = responseFields(relay.fields);
  const passed = scrubber === null ? received : scrubFields(scrubber, received);
  if (!isAccepted(relay, passed)) {
    origin.destroy();
    const { status, fields, body } = renderRefusal(refusal("origin_protocol_error", { close: true }));
    writeRaw(client, status, fields, body);
    relay.onEnd("origin_protocol_error");
    return { end: () => client.destroy() };
  }
  client.write(handshakeAnswer(passed));
  return relayFrames({
    client,
    origin,
    toOrigin: rewrite === null ? passFrames() : rewriteFrames(rewrite),
    toClient: scrubber === null ? passFrames() : scrubFrames(scrubber),
    onBytes: relay.onBytes,
    onEnd: (broken) => relay.onEnd(broken ? "origin_protocol_error" : null),
  });
}

function isAccepted({ key, status, fields, scrubber }: UpgradeRelay, kept: readonly string[]): boolean {
  const accept = createHash("sha1")
    .update(key + HANDSHAKE_GUID)
    .digest("base64");
  const raw = fields.map((field) => field.toString("latin1"));
  // Extensions were not offered where messages are searched (see credential.ts).
  if (scrubber !== null && fieldValue(raw, "sec-websocket-extensions") !== undefined) return false;
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
