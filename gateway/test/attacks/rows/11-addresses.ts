// Addresses that are not the Internet, in every spelling: checked in their binary form when they are dialled.
import { row } from "../row.ts";
import { bytesOf, open, shown, takeIn, refused, type Outcome } from "../wire.ts";
import type { Ingress, Place, World } from "../world.ts";

const CLASS = "addresses";

/** All of them are this machine for some resolver. */
const loopbackSpellings = [
  "127.0.0.1",
  "127.0.0.2",
  "127.1",
  "127.0.1",
  "2130706433",
  "017700000001",
  "0177.0.0.1",
  "0x7f.0.0.1",
  "0x7f000001",
  "0x7F.1",
  "127.000.000.001",
  "0.0.0.0",
  "0",
  "localhost",
  "LOCALHOST",
  "localhost.",
  "foo.localhost",
  "[::1]",
  "[0:0:0:0:0:0:0:1]",
  "[::]",
  "[::ffff:127.0.0.1]",
  "[::ffff:7f00:1]",
  "[::127.0.0.1]",
  "[64:ff9b::7f00:1]",
  "[2002:7f00:1::]",
];

const specialAddresses = [
  "10.0.0.1",
  "172.16.0.1",
  "172.31.255.255",
  "192.168.1.1",
  "100.64.0.1",
  "169.254.169.254",
  "169.254.170.2",
  "100.100.100.200",
  "168.63.129.16",
  "192.0.0.192",
  "198.18.0.1",
  "198.19.255.255",
  "192.0.2.1",
  "198.51.100.1",
  "203.0.113.1",
  "224.0.0.1",
  "239.255.255.255",
  "240.0.0.1",
  "255.255.255.255",
  "0.1.2.3",
  "[fe80::1]",
  "[fc00::1]",
  "[fd00:ec2::254]",
  "[ff02::1]",
  "[2001:db8::1]",
  "[2001::1]",
  "[2002:a00:1::]",
  "[64:ff9b::a00:1]",
  "[64:ff9b:1::a00:1]",
  "[::ffff:10.0.0.1]",
  "[::ffff:169.254.169.254]",
  "[::10.0.0.1]",
  "[100::1]",
  "[fec0::1]",
];

export async function reach(world: World, ingress: Ingress, host: string, port: number): Promise<Outcome> {
  const bare: Place = { ...world.plain, host, port };
  const opened = await open(world, ingress, `${host}:${port}`, host);
  if (!opened.ok)
    return {
      text: opened.answer,
      status: Number(opened.answer.split(" ")[1] ?? 0),
      answers: 0,
      closed: true,
    };
  opened.socket.write(bytesOf(world, ingress, bare, { path: "/reached" }));
  return await takeIn(opened.socket);
}

export const rows = [
  row({
    id: "11.1",
    class: CLASS,
    name: "No spelling of a loopback address reaches a server on this machine",
    ingresses: ["tunnel-plain", "absolute"],
    async on({ world, ingress, check }) {
      const { origin } = world.plain;
      for (const host of loopbackSpellings) {
        const before = origin.accepted;
        const outcome = await reach(world, ingress, host, origin.port);
        check(origin.accepted === before, `${host}:${origin.port} was connected to (${shown(outcome)})`);
        check(refused(outcome), `${host} got ${shown(outcome)}`);
      }
    },
  }),
  row({
    id: "11.2",
    class: CLASS,
    name: "Private, shared, special and metadata addresses are refused",
    ingresses: ["tunnel-plain", "absolute"],
    needs: ["control"],
    async on({ world, ingress, check }) {
      for (const host of specialAddresses) {
        const outcome = await reach(world, ingress, host, 80);
        check(outcome.status === 403, `${host} got ${shown(outcome)}`);
      }
    },
  }),
  row({
    id: "11.3",
    class: CLASS,
    name: "A name that is at a private address is refused, and the answer does not say which",
    ingresses: ["tunnel-tls", "absolute-tls", "absolute"],
    needs: ["control"],
    async on({ world, ingress, check }) {
      const port = ingress === "absolute" ? 80 : 443;
      const names = port === 80 ? ["metadata.attack.test"] : ["internal.attack.test", "loopback.attack.test"];
      for (const host of names) {
        const before = world.api.origin.accepted;
        const outcome = await reach(
          { ...world, plain: { ...world.plain, secure: port === 443 } },
          ingress,
          host,
          port,
        );
        check(outcome.status === 403, `${host} got ${shown(outcome)}`);
        check(world.api.origin.accepted === before, `${host} was connected to`);
        check(
          !/10\.1\.2\.3|169\.254|127\.0\.0\.1/.test(outcome.text),
          `the answer for ${host} names the address`,
        );
      }
    },
  }),
];
