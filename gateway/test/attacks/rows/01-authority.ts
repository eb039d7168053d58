// CONNECT target, server name and Host disagree: never a secret for one host on a connection to another.
import { row } from "../row.ts";
import { fieldValues, requestLines, tap } from "../tap.ts";
import {
  connect,
  credentialFields,
  open,
  readUntil,
  refused,
  send,
  sendBytes,
  shown,
  takeIn,
  bytesOf,
} from "../wire.ts";
import { type World, authorityOf, defaultPort, hostOf, placeFor, tunnelIngresses } from "../world.ts";

const CLASS = "authority";
const withHosts = [...tunnelIngresses, "absolute", "absolute-tls", "websocket"] as const;

/** Hosts that are not the tunnel's, whatever the tunnel's is. */
function foreignHosts(host: string, { other }: World): string[] {
  return [
    hostOf(other),
    `${host}:1`,
    `${host}.evil.test`,
    `evil.test.${host}`,
    `${host}@evil.test`,
    `evil.test@${host}`,
    `${host}, evil.test`,
    `${host} evil.test`,
    `${host}/../evil.test`,
    `${host}..`,
    `${host}%2eevil.test`,
    `${host}#evil.test`,
    `${host}\\evil.test`,
    `[${host}]`,
    `http://${host}/`,
  ];
}

export const rows = [
  row({
    id: "01.1",
    class: CLASS,
    name: "A request whose Host is not the tunnel's reaches no origin",
    ingresses: withHosts,
    async on({ world, ingress, check }) {
      const place = placeFor(world, ingress);
      for (const host of foreignHosts(place.host, world)) {
        const seen = tap(world);
        const outcome = await send(world, ingress, place, { host });
        check(seen.all() === "", `Host "${host}" on a connection to ${place.host} was forwarded`);
        check(refused(outcome), `Host "${host}" got ${shown(outcome)}`);
      }
    },
  }),
  row({
    id: "01.2",
    class: CLASS,
    name: "Two Host fields, an empty one or none are refused",
    ingresses: withHosts,
    async on({ world, ingress, check }) {
      const place = placeFor(world, ingress);
      const messages = {
        "two that differ": { fields: [`Host: ${world.other.host}`] },
        "two alike": { fields: [`Host: ${hostOf(place)}`] },
        "two, one in capitals": { fields: [`HOST: ${hostOf(place)}`] },
        "an empty one": { host: "" },
        none: { host: null },
        "none, HTTP/1.0": { host: null, version: "HTTP/1.0" },
      };
      for (const [what, message] of Object.entries(messages)) {
        const seen = tap(world);
        const outcome = await send(world, ingress, place, message);
        check(refused(outcome) && seen.all() === "", `${what}: ${shown(outcome)}`);
      }
    },
  }),
  row({
    id: "01.3",
    class: CLASS,
    name: "A TLS server name that is not the tunnel's gets no request through",
    ingresses: ["tunnel-tls", "unix"],
    async on({ world, ingress, check }) {
      for (const name of [world.other.host, `x.${world.api.host}`, "xn--pi-mia.attack.test"]) {
        const seen = tap(world);
        const opened = await open(world, ingress, authorityOf(world.api), name);
        if (opened.ok) {
          opened.socket.write(bytesOf(world, ingress, world.api));
          const outcome = await takeIn(opened.socket);
          check(refused(outcome), `server name ${name} got ${shown(outcome)}`);
        }
        check(seen.all() === "", `server name ${name} on a connection to ${world.api.host} was forwarded`);
      }
    },
  }),
  row({
    id: "01.4",
    class: CLASS,
    name: "Another spelling of the same authority passes, and the origin sees the one Host",
    ingresses: withHosts,
    async on({ world, ingress, check }) {
      const place = placeFor(world, ingress);
      for (const host of [place.host.toUpperCase(), `${place.host}.`, place.host]) {
        const seen = tap(world);
        const written = place.port === defaultPort(place) ? host : `${host}:${place.port}`;
        const outcome = await send(world, ingress, place, { host: written });
        const hosts = fieldValues(seen.at(place), "host");
        check(outcome.status < 400 && outcome.status > 0, `Host ${written} got ${shown(outcome)}`);
        check(hosts.length === 1 && hosts[0] === hostOf(place), `Host ${written} left as ${hosts.join()}`);
      }
    },
  }),
  row({
    id: "01.5",
    class: CLASS,
    name: "CONNECT whose Host is not its target opens no tunnel",
    ingresses: ["tunnel-tls"],
    async on({ world, check }) {
      for (const host of [world.other.host, `${world.api.host}:1`, `x@${world.api.host}`]) {
        const socket = await connect(world.proxy);
        const lines = [
          `CONNECT ${authorityOf(world.api)} HTTP/1.1`,
          `Host: ${host}`,
          ...credentialFields(world.proxy),
        ];
        socket.write(`${lines.join("\r\n")}\r\n\r\n`);
        const answer = await readUntil(socket, (text) => text.includes("\r\n\r\n"));
        socket.destroy();
        check(/^HTTP\/1\.[01] 4/.test(answer) || answer === "", `Host ${host} got "${answer.slice(0, 30)}"`);
      }
    },
  }),
  row({
    id: "01.6",
    class: CLASS,
    name: "The Host of the second request of a connection is compared too",
    ingresses: tunnelIngresses,
    async on({ world, ingress, check }) {
      const place = placeFor(world, ingress);
      const seen = tap(world);
      const first = bytesOf(world, ingress, place, { path: "/first" });
      const second = bytesOf(world, ingress, place, { path: "/second", host: world.other.host });
      await sendBytes(world, ingress, place, Buffer.concat([first, second]));
      const lines = requestLines(seen.all());
      check(!lines.some((line) => line.includes("/second")), `forwarded: ${lines.join("; ")}`);
    },
  }),
];
