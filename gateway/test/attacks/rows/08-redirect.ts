// Redirects that would carry the secret elsewhere: never followed, the next hop is a new decision.
import { row } from "../row.ts";
import { requestLines, tap } from "../tap.ts";
import { send, shown } from "../wire.ts";
import { hostOf, messageIngresses, placeFor } from "../world.ts";

const CLASS = "redirect";

export const rows = [
  row({
    id: "08.1",
    class: CLASS,
    name: "A redirect is the client's to follow",
    ingresses: messageIngresses,
    async on({ world, ingress, check }) {
      const place = placeFor(world, ingress);
      const elsewhere = hostOf(world.other);
      const locations = [
        `https://${elsewhere}/stolen`,
        `//${elsewhere}/stolen`,
        "/again",
        `http://${elsewhere}/stolen`,
      ];
      for (const status of [300, 301, 302, 303, 307, 308]) {
        for (const location of locations) {
          const seen = tap(world);
          place.origin.handle(
            (_, response) =>
              void response.writeHead(status, { location, refresh: `0; url=${location}` }).end(),
          );
          const outcome = await send(world, ingress, place, { path: "/from" });
          check(outcome.status === status, `${status} arrived as ${shown(outcome)}`);
          const lines = requestLines(seen.all());
          check(lines.length <= 1, `${status} to ${location} was followed: ${lines.join("; ")}`);
        }
      }
    },
  }),
  row({
    id: "08.2",
    class: CLASS,
    name: "The next hop gets no secret of the one before",
    ingresses: ["tunnel-tls", "absolute-tls", "unix"],
    needs: ["injection"],
    async on({ world, ingress, check }) {
      const seen = tap(world);
      const outcome = await send(world, ingress, world.other, {
        path: "/stolen",
        fields: ["Authorization: Bearer fake"],
      });
      check(outcome.status === 200, `the call without a secret got ${shown(outcome)}`);
      check(!seen.all().includes(world.secret ?? "none"), "the secret was placed on a host that has none");
    },
  }),
];
