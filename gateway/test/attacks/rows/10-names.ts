// Names with two readings: one parser for every authority, and no repair.
import { row } from "../row.ts";
import { fieldValues, tap } from "../tap.ts";
import { bytesOf, connect, open, readUntil, sendBytes, shown, takeIn, tunnel } from "../wire.ts";
import { authorityOf, hostOf } from "../world.ts";

const CLASS = "names";
const ANSWER_MS = 3_000;

function malformedNames(good: string): string[] {
  const label = "a".repeat(64);
  return [
    `${good}\0.evil.test`,
    `${good}%00.evil.test`,
    `evil.test\0${good}`,
    `%61pi.attack.test`,
    `${good}%2eevil.test`,
    `user@${good}`,
    `user:pass@${good}`,
    `${good}@evil.test`,
    `${good}\\@evil.test`,
    `${good}..`,
    `.${good}`,
    `api..attack.test`,
    `${good}\t`,
    `-${good}`,
    `api-.attack.test`,
    `[${good}]`,
    `[::1`,
    `::1`,
    `[::1]x`,
    `[fe80::1%25lo]`,
    `[fe80::1%lo]`,
    `[::ffff:127.0.0.1.]`,
    `[1:2:3:4:5:6:7:8:9]`,
    `[]`,
    `\u00e4pi.attack.test`,
    `api\u3002attack.test`,
    `api\uff0eattack.test`,
    `\uff41pi.attack.test`,
    `api.attack.test\u200b`,
    `${label}.test`,
    `${"a.".repeat(127)}test`,
    `*.attack.test`,
    `api.attack.test/`,
    `api.attack.test?`,
    `api.attack.test#`,
    `api,attack.test`,
    `api attack.test`,
    `"api".attack.test`,
    `127.1`,
    `2130706433`,
    `0x7f000001`,
    `0177.0.0.1`,
    `127.0.0.1.1`,
    `1.2.3`,
    `256.0.0.1`,
    `api.attack.1`,
    `api.attack.0x7f`,
    "",
  ];
}

const badPorts = [
  "",
  ":",
  ":0",
  ":65536",
  ":99999",
  ":-1",
  ":+443",
  ":443x",
  ":0x1bb",
  ":0443",
  ": 443",
  ":443:443",
  ":４４３",
];

export const rows = [
  row({
    id: "10.1",
    class: CLASS,
    name: "A malformed name opens no tunnel",
    ingresses: ["tunnel-tls"],
    async on({ world, check }) {
      const targets = [
        ...malformedNames(world.api.host).map((name) => `${name}:${world.api.port}`),
        ...badPorts.map((port) => `${world.api.host}${port}`),
      ];
      for (const target of targets) {
        const seen = tap(world);
        const socket = await connect(world.proxy);
        const answer = await tunnel(socket, world.proxy, Buffer.from(target).toString("latin1"));
        socket.destroy();
        check(!/^HTTP\/1\.[01] 2/.test(answer), `CONNECT ${JSON.stringify(target)} got 200`);
        check(seen.all() === "", `CONNECT ${JSON.stringify(target)} reached an origin`);
      }
    },
  }),
  row({
    id: "10.2",
    class: CLASS,
    name: "A malformed name in absolute form reaches nobody",
    ingresses: ["absolute", "absolute-tls"],
    async on({ world, ingress, check }) {
      const place = ingress === "absolute" ? world.plain : world.api;
      const scheme = ingress === "absolute" ? "http" : "https";
      for (const written of malformedNames(place.host)) {
        const name = Buffer.from(written).toString("latin1");
        const seen = tap(world);
        const message = { prefix: `${scheme}://${name}:${place.port}`, host: `${name}:${place.port}` };
        const outcome = await sendBytes(world, ingress, place, bytesOf(world, ingress, place, message));
        check(
          outcome.status !== 200 && seen.all() === "",
          `${JSON.stringify(written)} got ${shown(outcome)}`,
        );
      }
    },
  }),
  row({
    id: "10.3",
    class: CLASS,
    name: "One name has one spelling on the way out, whatever the client's",
    ingresses: ["tunnel-tls", "unix"],
    async on({ world, ingress, check }) {
      const { host } = world.api;
      for (const written of [host.toUpperCase(), `${host}.`, host]) {
        const seen = tap(world);
        const opened = await open(world, ingress, `${written}:${world.api.port}`, host);
        if (!opened.ok) {
          check(false, `CONNECT ${written} got "${opened.answer.slice(0, 30)}"`);
          continue;
        }
        opened.socket.write(bytesOf(world, ingress, world.api));
        await takeIn(opened.socket);
        check(
          fieldValues(seen.at(world.api), "host").join() === hostOf(world.api),
          `${written} left in another spelling`,
        );
        check(
          world.api.origin.connections.at(-1)?.serverName === host,
          `${written}: another server name was asked for`,
        );
      }
    },
  }),
  row({
    id: "10.4",
    class: CLASS,
    name: "A CONNECT line with more than a name and a port opens nothing",
    ingresses: ["tunnel-tls"],
    async on({ world, check }) {
      const authority = authorityOf(world.api);
      for (const target of [
        `https://${authority}`,
        `/${authority}`,
        `${authority}/x`,
        `${authority}?x`,
        `http://${authority}/`,
        "*",
        "/",
      ]) {
        const socket = await connect(world.proxy);
        const credentials = world.proxy.credentials;
        const line = credentials === null ? "" : `Proxy-Authorization: ${credentials}\r\n`;
        socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${authority}\r\n${line}\r\n`);
        const answer = await readUntil(socket, (text) => text.includes("\r\n\r\n"), ANSWER_MS);
        socket.destroy();
        check(!/^HTTP\/1\.[01] 2/.test(answer), `CONNECT ${target} got 200`);
      }
    },
  }),
];
