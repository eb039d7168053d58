// Guessing tokens and keys: no oracle, failures wait, and whoever has a valid token never does.
import { basic } from "../../support/client.ts";
import { startGateway } from "../../support/gateway.ts";
import { row } from "../row.ts";
import { connect, headOf, readUntil, tunnel } from "../wire.ts";
import type { Proxy } from "../world.ts";

const CLASS = "guessing";
const GUESSES = 40;
/** A valid token is answered within this, whatever others do; generous, because the machine may be busy. */
const AT_ONCE_MS = 2_000;

const guess = (n: number) => `aoc_${n.toString(16).padStart(64, "0")}`;

async function ask(port: number, credentials: string | null): Promise<{ answer: string; ms: number }> {
  const proxy: Proxy = { host: "127.0.0.1", port, credentials, socketPath: null };
  const startedAt = performance.now();
  const socket = await connect(proxy);
  const answer = await tunnel(socket, proxy, "unknown.attack.test:443");
  socket.destroy();
  return { answer, ms: performance.now() - startedAt };
}

export const rows = [
  row({
    id: "25.1",
    class: CLASS,
    name: "Guesses wait longer and longer, while a valid token from the same address is served at once",
    ingresses: ["tunnel-tls"],
    needs: ["own"],
    async on({ check }) {
      const gateway = await startGateway();
      try {
        const { token } = await gateway.agent("worker");
        const guesses = Array.from({ length: GUESSES }, (_, n) => ask(gateway.port, basic(guess(n))));
        const valid = await ask(gateway.port, basic(token));
        check(
          valid.answer.startsWith("HTTP/1.1 200") && valid.ms < AT_ONCE_MS,
          `the valid token waited ${Math.round(valid.ms)} ms`,
        );
        const anonymous = await ask(gateway.port, null);
        check(
          anonymous.answer.startsWith("HTTP/1.1 407") && anonymous.ms < AT_ONCE_MS,
          "a client that asks for the challenge waited",
        );
        const answers = await Promise.all(guesses);
        check(
          answers.every(({ answer }) => answer.startsWith("HTTP/1.1 407")),
          "a guess got something other than 407",
        );
        check(Math.max(...answers.map(({ ms }) => ms)) > AT_ONCE_MS, "no guess waited");
      } finally {
        await gateway.stop();
      }
    },
  }),
  row({
    id: "25.2",
    class: CLASS,
    name: "All wrong credentials get the same answer",
    ingresses: ["tunnel-tls"],
    needs: ["own"],
    async on({ check }) {
      const gateway = await startGateway();
      try {
        const { token } = await gateway.agent("worker");
        const wrong = [
          basic(guess(1)),
          basic(`${token.slice(0, -1)}${token.endsWith("0") ? "1" : "0"}`),
          basic(token.toUpperCase()),
          basic(""),
          "Bearer x",
          "Negotiate abcd",
        ];
        const answers = await Promise.all(wrong.map((credentials) => ask(gateway.port, credentials)));
        const [first, ...others] = answers.map(({ answer }) => headOf(answer).replace(/^date:.*$/im, ""));
        check(first?.startsWith("HTTP/1.1 407") === true, "no 407");
        check(
          others.every((other) => other === first),
          "the answers differ",
        );
      } finally {
        await gateway.stop();
      }
    },
  }),
  row({
    id: "25.3",
    class: CLASS,
    name: "Two Proxy-Authorization fields authenticate nobody",
    ingresses: ["tunnel-tls"],
    async on({ world, check }) {
      const { credentials } = world.proxy;
      if (credentials === null) return;
      for (const second of ["Basic eDp5", credentials]) {
        const socket = await connect(world.proxy);
        const lines = [
          `CONNECT ${world.api.host}:${world.api.port} HTTP/1.1`,
          `Host: ${world.api.host}:${world.api.port}`,
        ];
        socket.write(
          `${[...lines, `Proxy-Authorization: ${credentials}`, `Proxy-Authorization: ${second}`].join("\r\n")}\r\n\r\n`,
        );
        const answer = await readUntil(socket, (text) => text.includes("\r\n\r\n"));
        socket.destroy();
        check(!/^HTTP\/1\.[01] 2/.test(answer), "a tunnel was opened");
      }
    },
  }),
];
