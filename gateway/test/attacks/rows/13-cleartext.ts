// Downgrades to cleartext: no secret without verified TLS to the origin.
import { row } from "../row.ts";
import { tap } from "../tap.ts";
import { WEBSOCKET_KEY, send } from "../wire.ts";
import type { Place, World } from "../world.ts";

const CLASS = "cleartext";

/** The host with the secret, where it is served in cleartext. */
function cleartextApi({ api, plain, own }: World): Place {
  return { host: api.host, port: own === null ? plain.origin.port : 80, secure: false, origin: plain.origin };
}

export const rows = [
  row({
    id: "13.1",
    class: CLASS,
    name: "The secret is not placed into http://",
    ingresses: ["tunnel-plain", "absolute"],
    needs: ["injection"],
    async on({ world, ingress, check }) {
      for (const fields of [
        ["Authorization: Bearer fake"],
        [],
        ["X-Forwarded-Proto: https"],
        ["Upgrade-Insecure-Requests: 1"],
      ]) {
        const seen = tap(world);
        await send(world, ingress, cleartextApi(world), { path: "/cleartext", fields });
        check(
          !seen.all().includes(world.secret ?? "none"),
          `with "${fields.join()}" the secret went out in cleartext`,
        );
      }
    },
  }),
  row({
    id: "13.2",
    class: CLASS,
    name: "The secret is not placed into ws://",
    ingresses: ["tunnel-plain", "absolute"],
    needs: ["injection"],
    async on({ world, ingress, check }) {
      const fields = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        `Sec-WebSocket-Key: ${WEBSOCKET_KEY}`,
      ];
      const seen = tap(world);
      await send(world, ingress, cleartextApi(world), { path: "/cleartext", fields });
      check(!seen.all().includes(world.secret ?? "none"), "the secret went out in cleartext");
    },
  }),
  row({
    id: "13.3",
    class: CLASS,
    name: "Plain HTTP in a tunnel to the TLS port gets no secret either",
    ingresses: ["tunnel-plain"],
    needs: ["injection"],
    async on({ world, ingress, check }) {
      const seen = tap(world);
      await send(world, ingress, { ...world.api, secure: false }, { path: "/cleartext" });
      check(!seen.all().includes(world.secret ?? "none"), "the secret was placed for a client in cleartext");
    },
  }),
];
