// Whoever takes too much is refused, and others keep working. The limits are small here; their numbers are the product's.
import { setTimeout as sleep } from "node:timers/promises";
import { row } from "../row.ts";
import { asAgent, startSubject, type SubjectOptions } from "../subject-process.ts";
import {
  bytesOf,
  connect,
  credentialFields,
  isClosed,
  open,
  readUntil,
  refused,
  send,
  shown,
} from "../wire.ts";
import { type World, authorityOf, messageIngresses, placeFor } from "../world.ts";

const CLASS = "exhaustion";
const DRIP_MS = 200;
const small: SubjectOptions["limits"] = {
  clientHeadersTimeoutMs: 1_000,
  clientFirstByteTimeoutMs: 600,
  clientHandshakeTimeoutMs: 600,
  clientIdleTimeoutMs: 1_500,
  originHeadersTimeoutMs: 800,
  originConnectTimeoutMs: 800,
  tunnelsPerAgentMax: 8,
  exchangesPerAgentMax: 4,
};
/** Above every time-out in `small`, with the pace at which the server looks. */
const ENOUGH_MS = 8_000;

export const rows = [
  row({
    id: "24.1",
    class: CLASS,
    name: "Header sections and targets beyond the bounds are refused, and the next client is served",
    ingresses: messageIngresses,
    async on({ world, ingress, check }) {
      const place = placeFor(world, ingress);
      const messages = {
        "one field of 1 MiB": { fields: [`X-A: ${"a".repeat(1_048_576)}`] },
        "5,000 fields": { fields: Array.from({ length: 5_000 }, (_, at) => `X-${at}: b`) },
        "201 short fields": { fields: Array.from({ length: 201 }, () => "X: b") },
        "a target of 100 KiB": { path: `/${"a".repeat(102_400)}` },
        "a query of 60 KiB": { path: `/?${"a".repeat(61_440)}` },
      };
      for (const [what, message] of Object.entries(messages)) {
        const outcome = await send(world, ingress, place, message).catch(() => null);
        check(
          outcome === null || refused(outcome),
          `${what}: ${outcome === null ? "reset" : shown(outcome)}`,
        );
      }
      const after = await send(world, ingress, place, {});
      check(after.status === 200, `afterwards: ${shown(after)}`);
    },
  }),
  row({
    id: "24.2",
    class: CLASS,
    name: "A client that drips, or says nothing, is let go; an origin that does is given up",
    ingresses: ["tunnel-plain"],
    needs: ["own"],
    async on({ world, check }) {
      const subject = await startSubject({
        places: [world.api, world.other],
        limits: small,
        env: { LOG_LEVEL: "silent" },
      });
      const slow: World = { ...world, proxy: asAgent(subject) };
      try {
        const ended = await Promise.all([
          silent(slow),
          silentTunnel(slow),
          silentHandshake(slow),
          drip(slow),
        ]);
        for (const [at, what] of [
          "silence",
          "a silent tunnel",
          "half a handshake",
          "dripping fields",
        ].entries())
          check(ended[at] === true, `${what} was waited for`);
        world.api.origin.handle(() => undefined);
        const answer = await send(slow, "tunnel-tls", world.api, { path: "/never" });
        check(answer.status === 504, `a silent origin got ${shown(answer)}`);
        world.reset();
        const after = await send(slow, "tunnel-tls", world.api, {});
        check(after.status === 200, `afterwards: ${shown(after)}`);
      } finally {
        await subject.end();
      }
    },
  }),
  row({
    id: "24.3",
    class: CLASS,
    name: "An agent with too many tunnels or calls is refused with Retry-After, another agent is not",
    ingresses: ["tunnel-tls"],
    needs: ["own"],
    async on({ world, check }) {
      const limits = { tunnelsPerAgentMax: 8, exchangesPerAgentMax: 4 };
      const subject = await startSubject({ places: [world.api], limits, env: { LOG_LEVEL: "silent" } });
      const crowded: World = { ...world, proxy: asAgent(subject) };
      const { id } = JSON.parse(
        (await subject.api("POST", "/v1/agents", { name: "b", identifier: "b" })).text,
      ) as { id: string };
      const { text } = await subject.api("POST", `/v1/agents/${id}/regenerate-token`);
      const token = (JSON.parse(text) as { accessToken: string }).accessToken;
      const other: World = { ...world, proxy: asAgent({ ...subject, token }) };
      try {
        const tunnels = await Promise.all(
          Array.from({ length: 12 }, () =>
            open(crowded, "tunnel-plain", authorityOf(world.api), world.api.host),
          ),
        );
        const opened = tunnels.filter(({ ok }) => ok).length;
        check(opened === limits.tunnelsPerAgentMax, `${opened} tunnels were opened`);
        const [refusal] = tunnels.flatMap((one) => (one.ok ? [] : [one.answer]));
        check(
          /^HTTP\/1\.1 503[^]*retry-after:/i.test(refusal ?? ""),
          "the ninth got no 503 with Retry-After",
        );
        const neighbour = await send(other, "tunnel-tls", world.api, {});
        check(neighbour.status === 200, `the other agent got ${shown(neighbour)}`);
        for (const one of tunnels) if (one.ok) one.socket.destroy();
        await sleep(50);
        const again = await send(crowded, "tunnel-tls", world.api, {});
        check(again.status === 200, `after they were closed: ${shown(again)}`);
      } finally {
        await subject.end();
      }
    },
  }),
  row({
    id: "24.4",
    class: CLASS,
    name: "An origin's header section beyond the bound is an error, not memory",
    ingresses: messageIngresses,
    async on({ world, ingress, check }) {
      const place = placeFor(world, ingress);
      place.origin.handle(({ socket }) => {
        socket.on("error", () => undefined);
        socket.write(`HTTP/1.1 200 OK\r\n${`X-A: ${"a".repeat(8_000)}\r\n`.repeat(100)}\r\n`);
      });
      const outcome = await send(world, ingress, place, {});
      check(outcome.status >= 500 || outcome.status === 0, `got ${shown(outcome)}`);
    },
  }),
];

async function silent({ proxy }: World): Promise<boolean> {
  return await isClosed(await connect(proxy), ENOUGH_MS);
}

async function silentTunnel(world: World): Promise<boolean> {
  const opened = await open(world, "tunnel-plain", authorityOf(world.api), world.api.host);
  return opened.ok && (await isClosed(opened.socket, ENOUGH_MS));
}

async function silentHandshake(world: World): Promise<boolean> {
  const opened = await open(world, "tunnel-plain", authorityOf(world.api), world.api.host);
  if (!opened.ok) return false;
  opened.socket.write(Buffer.from("1603010200010001fc0303", "hex"));
  return await isClosed(opened.socket, ENOUGH_MS);
}

/** One field line at a time, for ever. */
async function drip(world: World): Promise<boolean> {
  const socket = await connect(world.proxy);
  socket.write(bytesOf(world, "tunnel-plain", world.plain).subarray(0, -2));
  const timer = setInterval(() => void socket.write("X-A: b\r\n"), DRIP_MS);
  for (const line of credentialFields(world.proxy)) socket.write(`${line}\r\n`);
  const text = await readUntil(socket, (text) => text.includes("\r\n\r\n"), ENOUGH_MS);
  const closed = text !== "" || (await isClosed(socket, ENOUGH_MS));
  clearInterval(timer);
  socket.destroy();
  return closed;
}
