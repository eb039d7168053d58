// A second way in: whatever carries a request, it meets the same decision.
import { row } from "../row.ts";
import { requestLines, tap } from "../tap.ts";
import { bytesOf, open, readUntil, refused, send, sendBytes, shown } from "../wire.ts";
import { authorityOf, everyIngress, messageIngresses, placeFor, tunnelIngresses } from "../world.ts";

const CLASS = "second way in";
const CONNECTION = "Connection: Upgrade, HTTP2-Settings";
const REACH_MS = 100;

export const rows = [
  row({
    id: "07.1",
    class: CLASS,
    name: "A denied call is denied on every way in, and its permitted twin passes",
    ingresses: everyIngress,
    needs: ["control"],
    async on({ world, ingress, check }) {
      const place = placeFor(world, ingress);
      const seen = tap(world);
      const denied = await send(world, ingress, place, { path: "/admin/keys" });
      check(denied.status === 403 && seen.all() === "", `denied call: ${shown(denied)}`);
      const permitted = await send(world, ingress, place, { path: "/open/keys" });
      check(permitted.status === 200 || permitted.status === 101, `permitted call: ${shown(permitted)}`);
      check(
        requestLines(seen.at(place)).join() === "GET /open/keys HTTP/1.1",
        "the permitted call did not arrive",
      );
    },
  }),
  row({
    id: "07.2",
    class: CLASS,
    name: "An upgrade to anything but websocket opens nothing",
    ingresses: messageIngresses,
    async on({ world, ingress, check }) {
      const place = placeFor(world, ingress);
      for (const token of [
        "h2c",
        "TLS/1.0",
        "foo",
        "websocket, h2c",
        "h2c, websocket",
        "IRC/6.9",
        "connect-udp",
        "",
      ]) {
        const seen = tap(world);
        const outcome = await send(world, ingress, place, {
          fields: [CONNECTION, `Upgrade: ${token}`, "HTTP2-Settings: AAMAAABkAAQAAP__"],
        });
        check(outcome.status !== 101, `Upgrade: ${token} got 101`);
        check(!/^(?:upgrade|http2-settings):/im.test(seen.all()), `Upgrade: ${token} was forwarded`);
      }
    },
  }),
  row({
    id: "07.3",
    class: CLASS,
    name: "A websocket handshake that is none is refused",
    ingresses: messageIngresses,
    async on({ world, ingress, check }) {
      const place = placeFor(world, ingress);
      const fields = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      ];
      const version = "Sec-WebSocket-Version: 13";
      const messages = {
        "by POST": { method: "POST", fields: [...fields, version] },
        "with a body": { fields: [...fields, version, "Content-Length: 5"], body: "12345" },
        "without a version": { fields },
        "of an old version": { fields: [...fields, "Sec-WebSocket-Version: 8"] },
        "without a key": { fields: [...fields.slice(0, 2), version] },
        "with two keys": { fields: [...fields, "Sec-WebSocket-Key: AAAA", version] },
        "in HTTP/1.0": { fields: [...fields, version], version: "HTTP/1.0" },
      };
      for (const [what, message] of Object.entries(messages)) {
        const seen = tap(world);
        const outcome = await send(world, ingress, place, message);
        check(outcome.status !== 101 && !/^upgrade:/im.test(seen.all()), `${what}: ${shown(outcome)}`);
      }
    },
  }),
  row({
    id: "07.4",
    class: CLASS,
    name: "What follows a websocket handshake reaches no origin that did not accept it",
    ingresses: ["websocket"],
    async on({ world, ingress, check }) {
      for (const path of ["/refuse", "/wrong-accept", "/other-protocol"]) {
        const seen = tap(world);
        const hidden = bytesOf(world, "tunnel-plain", world.api, { path: "/hidden-request" });
        const bytes = Buffer.concat([bytesOf(world, ingress, world.api, { path }), hidden]);
        const outcome = await sendBytes(world, ingress, world.api, bytes);
        check(!seen.all().includes("/hidden-request"), `${path}: the bytes behind it arrived`);
        check(refused(outcome), `${path}: ${shown(outcome)}`);
      }
    },
  }),
  row({
    id: "07.5",
    class: CLASS,
    name: "HTTP/2 with prior knowledge reaches no origin",
    ingresses: tunnelIngresses,
    async on({ world, ingress, check }) {
      const place = placeFor(world, ingress);
      const seen = tap(world);
      const opened = await open(world, ingress, authorityOf(place), place.host);
      if (!opened.ok) return check(true, "");
      opened.socket.write(Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", "latin1"));
      const answer = await readUntil(opened.socket, (text) => text.length > 0, REACH_MS * 10);
      opened.socket.destroy();
      check(seen.all() === "", "the preface was forwarded");
      check(!answer.startsWith("\0"), "the proxy answered in HTTP/2");
    },
  }),
];
