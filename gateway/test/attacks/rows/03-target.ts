// Request targets and methods of unusual form: one request, one policy, or a refusal.
import { row } from "../row.ts";
import { requestLines, tap } from "../tap.ts";
import { bytesOf, refused, send, sendBytes, shown } from "../wire.ts";
import { authorityOf, hostOf, messageIngresses, placeFor, tunnelIngresses } from "../world.ts";

const CLASS = "target";

export const rows = [
  row({
    id: "03.1",
    class: CLASS,
    name: "A fragment in the request target is refused",
    ingresses: messageIngresses,
    async on({ world, ingress, check }) {
      const place = placeFor(world, ingress);
      for (const path of ["/a#b", "/#", "/a?b#/../c", "#x"]) {
        const seen = tap(world);
        const outcome = await send(world, ingress, place, { path });
        check(refused(outcome) && seen.all() === "", `${path} got ${shown(outcome)}`);
      }
    },
  }),
  row({
    id: "03.2",
    class: CLASS,
    name: "An absolute or authority form inside a tunnel is no second way to name a host",
    ingresses: tunnelIngresses,
    async on({ world, ingress, check }) {
      const place = placeFor(world, ingress);
      const targets = [
        `https://${hostOf(world.other)}/x`,
        `http://${hostOf(world.other)}/x`,
        `https://${hostOf(place)}/x`,
        authorityOf(world.other),
        `//${hostOf(world.other)}/x`.slice(1).replace("/", "http:/"),
      ];
      for (const path of targets) {
        const seen = tap(world);
        const outcome = await send(world, ingress, place, { path });
        check(refused(outcome) && seen.all() === "", `${path} got ${shown(outcome)}`);
      }
    },
  }),
  row({
    id: "03.3",
    class: CLASS,
    name: "CONNECT inside a tunnel opens nothing",
    ingresses: tunnelIngresses,
    async on({ world, ingress, check }) {
      const place = placeFor(world, ingress);
      const seen = tap(world);
      const path = authorityOf(world.other);
      const nested = bytesOf(world, ingress, place, { method: "CONNECT", path, host: path });
      const inner = bytesOf(world, "tunnel-plain", world.other, { path: "/nested" });
      const outcome = await sendBytes(world, ingress, place, Buffer.concat([nested, inner]));
      check(refused(outcome), `got ${shown(outcome)}`);
      check(seen.all() === "", `forwarded: ${requestLines(seen.all()).join()}`);
    },
  }),
  row({
    id: "03.4",
    class: CLASS,
    name: "OPTIONS * and other targets that are no path are refused",
    ingresses: messageIngresses,
    async on({ world, ingress, check }) {
      const place = placeFor(world, ingress);
      const messages = [
        { method: "OPTIONS", path: "*", prefix: "" },
        { method: "GET", path: "*", prefix: "" },
        { method: "GET", path: "x", prefix: "" },
        { method: "GET", path: "?x", prefix: "" },
        { method: "GET", path: "ftp://x.attack.test/", prefix: "" },
        { method: "GET", path: "file:///etc/passwd", prefix: "" },
        { method: "GET", path: "javascript:x", prefix: "" },
      ];
      for (const message of messages) {
        const seen = tap(world);
        const outcome = await send(world, ingress, place, message);
        check(
          refused(outcome) && seen.all() === "",
          `${message.method} ${message.path} got ${shown(outcome)}`,
        );
      }
    },
  }),
  row({
    id: "03.5",
    class: CLASS,
    name: "Methods that nobody decides on are refused: TRACE shows the secret to whoever asks",
    ingresses: messageIngresses,
    async on({ world, ingress, check }) {
      const place = placeFor(world, ingress);
      for (const method of ["TRACE", "TRACK", "DEBUG", "PROPFIND", "PURGE", "SOURCE", "FOO", "get", "PRI"]) {
        const seen = tap(world);
        const outcome = await send(world, ingress, place, { method });
        check(refused(outcome) && seen.all() === "", `${method} got ${shown(outcome)}`);
      }
    },
  }),
  row({
    id: "03.6",
    class: CLASS,
    name: "Other versions of HTTP are refused",
    ingresses: messageIngresses,
    async on({ world, ingress, check }) {
      const place = placeFor(world, ingress);
      for (const version of [
        "HTTP/0.9",
        "HTTP/1.2",
        "HTTP/2.0",
        "HTTP/3",
        "HTTP/1.10",
        "http/1.1",
        "HTTP/01.1",
        "",
      ]) {
        const seen = tap(world);
        const outcome = await send(world, ingress, place, { version });
        check(refused(outcome) && seen.all() === "", `"${version}" got ${shown(outcome)}`);
      }
    },
  }),
];
