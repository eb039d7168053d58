// The origin gives the secret back in WebSocket messages.
import { row } from "../row.ts";
import { spellingIn } from "../spellings.ts";
import { bodyOf, bytesOf, open, readUntil } from "../wire.ts";
import { authorityOf } from "../world.ts";

const CLASS = "echo";

export const rows = [
  row({
    id: "09.10",
    class: CLASS,
    name: "The value does not come back in a WebSocket message, text or binary, whole or in fragments",
    ingresses: ["websocket"],
    needs: ["injection"],
    async on({ world, ingress, check }) {
      const secret = world.secret ?? "";
      const half = Math.floor(secret.length / 2);
      const messages: Record<string, readonly Buffer[]> = {
        "a text without it": [frame(0x81, "hello")],
        "one text frame": [frame(0x81, secret)],
        "one binary frame": [frame(0x82, secret)],
        "two fragments": [frame(0x01, secret.slice(0, half)), frame(0x80, secret.slice(half))],
        "fragments around a ping": [
          frame(0x01, secret.slice(0, half)),
          frame(0x89, "p"),
          frame(0x80, secret.slice(half)),
        ],
        "a ping": [frame(0x89, secret)],
        "a close reason": [frame(0x88, `\x03\xe8${secret}`)],
        "base64 in text": [frame(0x81, Buffer.from(secret).toString("base64"))],
      };
      for (const [what, frames] of Object.entries(messages)) {
        const path = `/frames?${Buffer.concat(frames).toString("hex")}`;
        const opened = await open(world, ingress, authorityOf(world.api), world.api.host);
        if (!opened.ok) return check(false, "no way in");
        opened.socket.write(bytesOf(world, ingress, world.api, { path }));
        const head = await readUntil(opened.socket, (text) => text.includes("\r\n\r\n"));
        const text = head + (await readUntil(opened.socket, () => false, FRAMES_MS));
        opened.socket.destroy();
        const payload = payloads(Buffer.from(bodyOf(text), "latin1"));
        if (what === "a text without it")
          check(payload === "hello", `a harmless message arrived as "${payload}"`);
        check(
          spellingIn(payload, secret) === null && spellingIn(text, secret) === null,
          `${what}: the value came back`,
        );
      }
    },
  }),
];

const FRAMES_MS = 150;

/** RFC 6455 section 5.2, from a server: no mask. */
function frame(first: number, payload: string): Buffer {
  const bytes = Buffer.from(payload, "latin1");
  return Buffer.concat([Buffer.from([first, bytes.length]), bytes]);
}

/** What the frames carry, joined. */
function payloads(bytes: Buffer): string {
  let text = "";
  for (let at = 0; at + 1 < bytes.length;) {
    const length = (bytes[at + 1] ?? 0) & 0x7f;
    text += bytes.subarray(at + 2, at + 2 + length).toString("latin1");
    at += 2 + length;
  }
  return text;
}
