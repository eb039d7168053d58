// Origins that nobody may believe: not one byte of the request goes to them.
import { row } from "../row.ts";
import { bodyOf, send, shown } from "../wire.ts";
import { secureIngresses } from "../world.ts";

const CLASS = "certificates";

export const rows = [
  row({
    id: "15.1",
    class: CLASS,
    name: "An origin with a bad certificate gets no byte of the request",
    ingresses: secureIngresses,
    async on({ world, ingress, check }) {
      for (const [what, place] of Object.entries(world.bad)) {
        const outcome = await send(world, ingress, place, { fields: ["Authorization: Bearer fake"] });
        check(
          place.origin.receivedBytes === 0,
          `${what}: the origin got ${place.origin.receivedBytes} bytes`,
        );
        check(outcome.status >= 400 || outcome.status === 0, `${what}: ${shown(outcome)}`);
      }
    },
  }),
  row({
    id: "15.2",
    class: CLASS,
    name: "The answer says that the certificate could not be verified",
    ingresses: secureIngresses,
    needs: ["control"],
    async on({ world, ingress, check }) {
      for (const [what, place] of Object.entries(world.bad)) {
        const outcome = await send(world, ingress, place, {});
        const isNamed = outcome.status === 502 && bodyOf(outcome.text).includes('"origin_tls_error"');
        check(isNamed, `${what}: ${shown(outcome)}`);
      }
    },
  }),
];
