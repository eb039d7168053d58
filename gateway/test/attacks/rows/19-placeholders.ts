// The agent plants its fake key where the real one would show: swapped on declared surfaces only, at most once.
import { row } from "../row.ts";
import { tap } from "../tap.ts";
import { send, shown } from "../wire.ts";
import type { Place } from "../world.ts";

const CLASS = "placeholders";
const ingresses = ["tunnel-tls", "absolute-tls", "unix"] as const;
const json = (body: string) => ({
  method: "POST",
  fields: ["Content-Type: application/json", `Content-Length: ${Buffer.byteLength(body)}`],
  body,
});

export const rows = [
  row({
    id: "19.1",
    class: CLASS,
    name: "The fake key is swapped on its declared surface",
    ingresses: [...ingresses, "websocket"],
    needs: ["own"],
    async on({ world, ingress, check }) {
      const { own } = world;
      if (own === null) return;
      const real = own.values[1] ?? "none";
      for (const field of [`X-Key: ${own.fakeKey}`, `Authorization: Bearer ${own.fakeKey}`]) {
        const seen = tap(world);
        const outcome = await send(world, ingress, own.swapped, { fields: [field] });
        check(
          seen.all().split(real).length === 2,
          `${field.split(":")[0]}: not swapped once (${shown(outcome)})`,
        );
        check(!seen.all().includes(own.fakeKey), "the fake key left too");
      }
    },
  }),
  row({
    id: "19.2",
    class: CLASS,
    name: "On any other surface of the host the real value does not appear",
    ingresses,
    needs: ["own"],
    async on({ world, ingress, check }) {
      const { own } = world;
      if (own === null) return;
      const { fakeKey } = own;
      const body = JSON.stringify({ text: fakeKey });
      const messages = {
        "in the query": { path: `/x?q=${fakeKey}` },
        "in the path": { path: `/x/${fakeKey}` },
        "in a JSON body": json(body),
        "in a form": {
          method: "POST",
          fields: [
            "Content-Type: application/x-www-form-urlencoded",
            `Content-Length: ${fakeKey.length + 2}`,
          ],
          body: `a=${fakeKey}`,
        },
        "in a text": { method: "POST", fields: [`Content-Length: ${fakeKey.length}`], body: fakeKey },
        "in a field's name": { fields: [`${fakeKey}: 1`] },
        "in base64": { path: `/x?q=${Buffer.from(fakeKey).toString("base64url")}` },
      };
      for (const [what, message] of Object.entries(messages)) {
        const seen = tap(world);
        const outcome = await send(world, ingress, own.swapped, message);
        check(
          !seen.all().includes(own.values[1] ?? "none"),
          `${what}: the real value was placed (${shown(outcome)})`,
        );
        if (/query|path/.test(what))
          check(outcome.status === 403 && seen.all() === "", `${what}: ${shown(outcome)}`);
      }
    },
  }),
  row({
    id: "19.3",
    class: CLASS,
    name: "On another host the fake key is refused and nothing is sent",
    ingresses,
    needs: ["own"],
    async on({ world, ingress, check }) {
      const { own } = world;
      if (own === null) return;
      const { fakeKey } = own;
      const messages = [
        { fields: [`X-Key: ${fakeKey}`] },
        { fields: [`Cookie: a=${fakeKey}`] },
        { fields: [`Referer: https://x.test/?${fakeKey}`] },
        { fields: [`Authorization: Basic ${Buffer.from(`u:${fakeKey}`).toString("base64")}`] },
        { path: `/x?q=${fakeKey}` },
        { path: `/${fakeKey}` },
      ];
      const places: Place[] = [world.other, own.scoped];
      for (const place of places) {
        for (const message of messages) {
          const seen = tap(world);
          const outcome = await send(world, ingress, place, message);
          check(
            outcome.status === 403 && seen.all() === "",
            `${JSON.stringify(message).slice(0, 40)}: ${shown(outcome)}`,
          );
        }
      }
    },
  }),
  row({
    id: "19.4",
    class: CLASS,
    name: "Planted twice it is swapped nowhere",
    ingresses,
    needs: ["own"],
    async on({ world, ingress, check }) {
      const { own } = world;
      if (own === null) return;
      const { fakeKey } = own;
      for (const fields of [
        [`X-Key: ${fakeKey}`, `X-Copy: ${fakeKey}`],
        [`X-Key: ${fakeKey} ${fakeKey}`],
        [`X-Key: ${fakeKey}`, `X-Key: ${fakeKey}`],
      ]) {
        const seen = tap(world);
        const outcome = await send(world, ingress, own.swapped, { fields });
        check(refusedWithout(seen.all(), outcome.status), `${fields.length} fields: ${shown(outcome)}`);
      }
    },
  }),
  row({
    id: "19.5",
    class: CLASS,
    name: "Another agent's fake key is worth nothing",
    ingresses,
    needs: ["own"],
    async on({ world, ingress, check }) {
      const { own } = world;
      if (own === null) return;
      const seen = tap(world);
      const outcome = await send(world, ingress, own.swapped, { fields: [`X-Key: ${own.intruderFakeKey}`] });
      check(own.intruderFakeKey !== own.fakeKey, "two agents hold the same fake key");
      check(refusedWithout(seen.all(), outcome.status), `got ${shown(outcome)}`);
    },
  }),
  row({
    id: "19.6",
    class: CLASS,
    name: "The bare word placeholder counts in an authentication slot alone",
    ingresses,
    needs: ["own"],
    async on({ world, ingress, check }) {
      for (const field of [
        "Authorization: Bearer placeholder",
        "X-Api-Key: placeholder",
        "authorization: placeholder",
      ]) {
        const seen = tap(world);
        const outcome = await send(world, ingress, world.other, { fields: [field] });
        check(refusedWithout(seen.all(), outcome.status), `${field}: ${shown(outcome)}`);
      }
      for (const message of [
        { path: "/placeholder?q=placeholder" },
        { fields: ["X-Note: placeholder"] },
        json('{"a":"placeholder"}'),
      ]) {
        const outcome = await send(world, ingress, world.other, message);
        check(outcome.status === 200, `${JSON.stringify(message).slice(0, 40)}: ${shown(outcome)}`);
      }
    },
  }),
];

function refusedWithout(sent: string, status: number): boolean {
  return sent === "" && status === 403;
}
