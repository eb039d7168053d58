// Names whose address changes between the check and the connection.
import net from "node:net";
import { createAddressGuard } from "../../../src/origin/address-guard.ts";
import { createDialer } from "../../../src/origin/dial.ts";
import { createResolver } from "../../../src/origin/resolve.ts";
import { startNameServer } from "../../support/name-server.ts";
import { row } from "../row.ts";
import { shown } from "../wire.ts";
import { reach } from "./11-addresses.ts";

const CLASS = "rebinding";
const PUBLIC = "1.1.1.1";

/** Dials the name as often as there are answers; the connections themselves go to loopback. */
async function dialTwice(answers: readonly (readonly string[])[], port: number) {
  const server = await startNameServer((_, time) => answers[Math.min(time, answers.length - 1)] ?? []);
  const connected: string[] = [];
  const dialer = createDialer({
    resolver: createResolver({ lookup: server.lookup }),
    guard: createAddressGuard({ allowPrivate: "", ownAddresses: () => [] }),
    extraCa: null,
    connect: (endpoint) => {
      connected.push(endpoint.address);
      return net.connect(port, "127.0.0.1");
    },
  });
  const authority = { host: "rebound.attack.test", port: 80, kind: "name" } as const;
  const dial = () =>
    dialer.dial({ authority, secure: false }).then(
      (socket) => {
        socket.destroy();
        return "connected";
      },
      (error: { code?: string }) => error.code ?? "failed",
    );
  const results = [await dial(), await dial()];
  await server.close();
  const asked = server.questions.filter((question) => question.startsWith("1 ")).length;
  return { results, connected, asked };
}

export const rows = [
  row({
    id: "12.1",
    class: CLASS,
    name: "A name is resolved once a connection, and the checked address is the one that is dialled",
    ingresses: ["tunnel-plain"],
    needs: ["own"],
    async on({ world, check }) {
      const { results, connected, asked } = await dialTwice(
        [[PUBLIC], ["127.0.0.1"]],
        world.plain.origin.port,
      );
      check(connected.join() === PUBLIC, `dialled ${connected.join()}`);
      // It is at another address than the one that was dialled, as behind a redirecting network.
      check(results[0] === "destination_not_allowed", `connected elsewhere: ${results[0]}`);
      check(results[1] === "destination_not_allowed", `after rebinding: ${results[1]}`);
      check(asked === 2, `${asked} questions for two connections`);
    },
  }),
  row({
    id: "12.2",
    class: CLASS,
    name: "One private address among several refuses the name",
    ingresses: ["tunnel-plain"],
    needs: ["own"],
    async on({ world, check }) {
      for (const answers of [
        [PUBLIC, "10.0.0.1"],
        ["169.254.169.254", PUBLIC],
        [PUBLIC, "::1"],
        [PUBLIC, "::ffff:127.0.0.1"],
      ]) {
        const { results, connected } = await dialTwice([answers], world.plain.origin.port);
        check(
          results[0] === "destination_not_allowed" && connected.length === 0,
          `${answers.join()}: ${results[0]}`,
        );
      }
    },
  }),
  row({
    id: "12.3",
    class: CLASS,
    name: "A name with a public and a private address is refused by the whole product",
    ingresses: ["tunnel-tls", "absolute-tls"],
    needs: ["control"],
    async on({ world, ingress, check }) {
      const before = world.api.origin.accepted;
      const outcome = await reach(
        { ...world, plain: { ...world.plain, secure: true } },
        ingress,
        "mixed.attack.test",
        443,
      );
      check(outcome.status === 403, `got ${shown(outcome)}`);
      check(world.api.origin.accepted === before, "the private one was connected to");
    },
  }),
];
