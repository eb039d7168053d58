// Hop-by-hop fields: computed from the client's message, removed, and only then are secrets placed.
import { row } from "../row.ts";
import { fieldValues, tap } from "../tap.ts";
import { send } from "../wire.ts";
import { everyIngress, messageIngresses, placeFor, secureIngresses } from "../world.ts";

const CLASS = "hop-by-hop";

export const rows = [
  row({
    id: "06.1",
    class: CLASS,
    name: "Connection can't take an injected field away",
    ingresses: secureIngresses,
    needs: ["injection"],
    async on({ world, ingress, check }) {
      const { api, secret } = world;
      for (const options of [
        "authorization",
        "Authorization, close",
        "close,AUTHORIZATION",
        "x-api-key, authorization",
      ]) {
        const seen = tap(world);
        await send(world, ingress, api, { fields: [`Connection: ${options}`, "Authorization: Bearer fake"] });
        const values = fieldValues(seen.at(api), "authorization");
        const blocked = seen.all() === "" && ingress === "websocket";
        check(
          blocked || (values.length === 1 && values[0] === `Bearer ${secret}`),
          `Connection: ${options} left ${values.length} values`,
        );
      }
    },
  }),
  row({
    id: "06.2",
    class: CLASS,
    name: "Proxy credentials never reach an origin",
    ingresses: everyIngress,
    async on({ world, ingress, check }) {
      const place = placeFor(world, ingress);
      const { credentials } = world.proxy;
      for (const name of [
        "Proxy-Authorization",
        "proxy-authorization",
        "PROXY-AUTHORIZATION",
        "Proxy-Authenticate",
      ]) {
        const seen = tap(world);
        await send(world, ingress, place, { fields: [`${name}: Basic c2VjcmV0OnByb3h5`] });
        check(!/proxy-auth/i.test(seen.all()), `${name} was forwarded`);
        check(
          credentials === null || !seen.all().includes(credentials),
          "the proxy's credentials were forwarded",
        );
      }
    },
  }),
  row({
    id: "06.3",
    class: CLASS,
    name: "Fields of one connection, and those that Connection names, are not forwarded",
    ingresses: messageIngresses,
    async on({ world, ingress, check }) {
      const place = placeFor(world, ingress);
      const seen = tap(world);
      await send(world, ingress, place, {
        fields: [
          "Connection: x-private, x-also",
          "Connection: X-Third",
          "X-Private: 1",
          "x-also: 2",
          "X-Third: 3",
          "X-Public: 4",
          "Keep-Alive: timeout=5",
          "Proxy-Connection: keep-alive",
          "TE: trailers, deflate;q=0.5",
          "HTTP2-Settings: AAMAAABkAAQAAP__",
        ],
      });
      const text = seen.at(place);
      for (const name of [
        "x-private",
        "x-also",
        "x-third",
        "keep-alive",
        "proxy-connection",
        "te",
        "http2-settings",
      ])
        check(fieldValues(text, name).length === 0, `${name} was forwarded`);
      check(fieldValues(text, "x-public").join() === "4", "an ordinary field was not");
    },
  }),
  row({
    id: "06.4",
    class: CLASS,
    name: "The client's own copies of an injected field are gone, however they are written",
    ingresses: secureIngresses,
    needs: ["injection"],
    async on({ world, ingress, check }) {
      const { api, secret } = world;
      const copies = [
        "authorization: Bearer mine",
        "AUTHORIZATION: Basic bWluZQ==",
        "Authorization:",
        "Authorization: a\tb",
      ];
      for (const fields of [...copies.map((copy) => [copy]), copies]) {
        const seen = tap(world);
        await send(world, ingress, api, { fields });
        const values = fieldValues(seen.at(api), "authorization");
        check(
          values.length === 1 && values[0] === `Bearer ${secret}`,
          `${fields.length} copies left ${values.length} values`,
        );
      }
    },
  }),
  row({
    id: "06.5",
    class: CLASS,
    name: "Trailers of a request do not become fields",
    ingresses: messageIngresses,
    async on({ world, ingress, check }) {
      const place = placeFor(world, ingress);
      const seen = tap(world);
      await send(world, ingress, place, {
        method: "POST",
        fields: ["Transfer-Encoding: chunked", "Trailer: Authorization, X-Late, Host"],
        body: "1\r\na\r\n0\r\nAuthorization: Bearer late\r\nX-Late: 1\r\nHost: evil.test\r\n\r\n",
      });
      check(!/bearer late|x-late|evil\.test/i.test(seen.all()), "a trailer was forwarded");
    },
  }),
  row({
    id: "06.6",
    class: CLASS,
    name: "Via names the gateway and does not grow the client's own into a loop",
    ingresses: messageIngresses,
    async on({ world, ingress, check }) {
      const place = placeFor(world, ingress);
      const seen = tap(world);
      await send(world, ingress, place, { fields: ["Via: 1.1 somebody"] });
      const via = fieldValues(seen.at(place), "via").join(", ");
      check(via.startsWith("1.1 somebody") && via.length > "1.1 somebody".length, `Via left as "${via}"`);
    },
  }),
];
