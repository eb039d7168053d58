// Tunnels that are no way to HTTP: other ports, raw protocols, the gateway itself.
import net from "node:net";
import { basic } from "../../support/client.ts";
import { startGateway } from "../../support/gateway.ts";
import { row } from "../row.ts";
import { tap } from "../tap.ts";
import {
  bytesOf,
  connect,
  headOf,
  isClosed,
  open,
  readUntil,
  send,
  sendBytes,
  shown,
  takeIn,
  tunnel,
} from "../wire.ts";
import { type World, authorityOf, messageIngresses, placeFor } from "../world.ts";

const CLASS = "tunnels";
const CLOSE_MS = 1_500;

export const rows = [
  row({
    id: "14.1",
    class: CLASS,
    name: "CONNECT to a port that nobody named opens nothing",
    ingresses: ["tunnel-tls"],
    async on({ world, check }) {
      for (const port of [1, 22, 23, 25, 53, 110, 465, 587, 3306, 5432, 6379, 9200, 11_211, 27_017, 65_535]) {
        const socket = await connect(world.proxy);
        const answer = await tunnel(socket, world.proxy, `${world.api.host}:${port}`);
        socket.destroy();
        check(!/^HTTP\/1\.[01] 2/.test(answer), `port ${port} got 200`);
      }
    },
  }),
  row({
    id: "14.2",
    class: CLASS,
    name: "Bytes that are neither TLS nor HTTP end the tunnel and reach no origin",
    ingresses: ["tunnel-plain"],
    async on({ world, ingress, check }) {
      const protocols: Record<string, string> = {
        SSH: "SSH-2.0-OpenSSH_9.9\r\n",
        SMTP: "EHLO attack.test\r\nMAIL FROM:<a@attack.test>\r\n",
        Redis: "*1\r\n$7\r\nFLUSHDB\r\n",
        PostgreSQL: "\0\0\0\x08\x04\xd2\x16\x2f",
        DNS: "\0\x1c\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03www\x04test\0\0\x01\0\x01",
        SOCKS: "\x05\x01\0",
        "an alert of TLS": "\x15\x03\x01\0\x02\x02\x28",
        "lower case": "get / http/1.1\r\n\r\n",
        "a line end": "\r\n\r\n\r\n",
      };
      for (const [name, bytes] of Object.entries(protocols)) {
        const seen = tap(world);
        const opened = await open(world, ingress, authorityOf(world.plain), world.plain.host);
        if (!opened.ok) continue;
        opened.socket.write(Buffer.from(bytes, "latin1"));
        const answer = await readUntil(opened.socket, (text) => text.includes("\r\n\r\n"), CLOSE_MS);
        check(seen.all() === "", `${name} was forwarded`);
        const ended = answer.startsWith("HTTP/1.1 4") || (await isClosed(opened.socket, CLOSE_MS));
        check(ended || name === "a line end", `${name}: the tunnel stayed open`);
        opened.socket.destroy();
      }
    },
  }),
  row({
    id: "14.3",
    class: CLASS,
    name: "The gateway's own address is not reached through itself, admin key or not",
    ingresses: messageIngresses,
    needs: ["own"],
    async on({ world, ingress, check }) {
      const { own } = world;
      if (own === null) return;
      for (const host of ["127.0.0.1", "localhost", "[::1]", "0.0.0.0"]) {
        const authority = `${host}:${own.gateway.port}`;
        const opened = await open(world, ingress, authority, host);
        const text = opened.ok ? await askSelf(world, opened.socket, { authority, ingress }) : opened.answer;
        check(/^HTTP\/1\.[01] 4/.test(text) || text === "", `${authority} got "${text.slice(0, 40)}"`);
        check(!text.includes("accessToken"), `${authority} answered as the API`);
      }
    },
  }),
  row({
    id: "14.4",
    class: CLASS,
    name: "A name that was made to point at the gateway, and allowed, is refused all the same",
    ingresses: ["absolute"],
    needs: ["own"],
    async on({ check }) {
      const port = await freePort();
      const gateway = await startGateway({
        env: {
          ONECLI_PORT: String(port),
          ONECLI_RESOLVE: `loop.attack.test:80=127.0.0.1:${port}`,
          ONECLI_ALLOW_PRIVATE: "loop.attack.test:80",
        },
      });
      try {
        const { token } = await gateway.agent("worker");
        const socket = await connect({ host: "127.0.0.1", port, credentials: null, socketPath: null });
        socket.write(
          `GET http://loop.attack.test/v1/agents HTTP/1.1\r\nHost: loop.attack.test\r\nAuthorization: Bearer ${gateway.apiKey}\r\nProxy-Authorization: ${basic(token)}\r\n\r\n`,
        );
        const outcome = await takeIn(socket);
        check(outcome.status === 403, `got ${shown(outcome)}`);
      } finally {
        await gateway.stop();
      }
    },
  }),
  row({
    id: "14.5",
    class: CLASS,
    name: "A request that came from this gateway is a loop",
    ingresses: messageIngresses,
    needs: ["own"],
    async on({ world, ingress, check }) {
      const place = placeFor(world, ingress);
      const first = await send(world, ingress, place, {});
      const via = /^via: (.*)$/im.exec(headOf(first.text))?.[1]?.trim() ?? "";
      check(via !== "", "the answer has no Via");
      const seen = tap(world);
      const again = await send(world, ingress, place, { fields: [`Via: 1.0 somebody, ${via}`] });
      check(again.status >= 500 && seen.all() === "", `got ${shown(again)}`);
    },
  }),
  row({
    id: "14.6",
    class: CLASS,
    name: "A second tunnel's TLS inside the first one reaches nobody",
    ingresses: ["tunnel-tls", "unix"],
    async on({ world, ingress, check }) {
      const seen = tap(world);
      const hello = Buffer.from(
        "160301003a0100003603030000000000000000000000000000000000000000000000000000000000000000000002130101000000",
        "hex",
      );
      const outcome = await sendBytes(world, ingress, world.api, hello);
      check(seen.all() === "" && outcome.status !== 200, `got ${shown(outcome)}`);
    },
  }),
];

interface SelfCall {
  readonly authority: string;
  readonly ingress: Parameters<typeof bytesOf>[1];
}

async function askSelf(world: World, socket: Parameters<typeof takeIn>[0], { authority, ingress }: SelfCall) {
  const isAbsolute = ingress === "absolute" || ingress === "absolute-tls";
  const prefix = isAbsolute ? `http://${authority}` : "";
  const fields = [`Authorization: Bearer ${world.own?.gateway.apiKey}`];
  socket.write(bytesOf(world, ingress, world.plain, { path: "/v1/agents", prefix, host: authority, fields }));
  return (await takeIn(socket)).text;
}

async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
