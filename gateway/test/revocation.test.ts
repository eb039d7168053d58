// A right that is taken away is gone at once: for the next request, and for whatever is open on it.
import type { Duplex } from "node:stream";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { isWholeAnswer, openTunnel, parseAnswer, readUntil, type Via } from "./support/client.ts";
import {
  demoSecret,
  eventually,
  HOST,
  type Ingress,
  ingresses,
  isClosed,
  messageOn,
  startWorld,
  VALUE,
  valuesOf,
  viaOf,
  type World,
} from "./support/world.ts";

let world: World;
let count = 0;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world?.stop());
beforeEach(() => {
  for (const origin of [world.origin, world.plain]) {
    origin.handle((request, response) => {
      if (request.url?.startsWith("/stream") !== true) return response.end("ok");
      response.writeHead(200, { "content-type": "text/event-stream" });
      return response.write("data: first\n\n");
    });
  }
});

interface Victim {
  readonly id: string;
  readonly identifier: string;
  readonly via: Via;
}

async function newAgent(): Promise<Victim> {
  count += 1;
  const identifier = `agent-${count}`;
  const { id, token } = await world.gateway.agent(identifier);
  return { id, identifier, via: viaOf(world.gateway, token) };
}

async function runToken(agent: Victim, ttlSeconds = 600): Promise<{ id: string; via: Via }> {
  const { body } = await world.gateway.api("POST", `/v1/agents/${agent.id}/tokens`, {
    ttlSeconds,
    labels: {},
  });
  const { id, accessToken } = body as { id: string; accessToken: string };
  return { id, via: viaOf(world.gateway, accessToken) };
}

async function streamOn(ingress: Ingress, via: Via, path = "/stream"): Promise<Duplex> {
  const socket = await ingress.open(via);
  socket.on("error", () => {});
  socket.write(messageOn(ingress, via, { path }));
  expect(await readUntil(socket, (text) => text.includes("data: first"))).toContain("data: first");
  return socket;
}

/** null = the gateway gave no tunnel or no answer */
async function statusOn(ingress: Ingress, via: Via, path = "/"): Promise<number | null> {
  try {
    const socket = await ingress.open(via);
    socket.on("error", () => {});
    socket.write(messageOn(ingress, via, { path }));
    const text = await readUntil(socket, isWholeAnswer, 3_000);
    socket.destroy();
    return text === "" ? null : parseAnswer(text).status;
  } catch {
    return null;
  }
}

const ways: readonly (readonly [string, (agent: Victim, token: { id: string }) => Promise<unknown>])[] = [
  ["deleting the agent", (agent) => world.gateway.api("DELETE", `/v1/agents/${agent.id}`)],
  [
    "deleting the run's token",
    (agent, token) => world.gateway.api("DELETE", `/v1/agents/${agent.id}/tokens/${token.id}`),
  ],
];

describe.each(ingresses)("over $name", (ingress) => {
  test.each(ways)("%s closes its streams and refuses its next call", async (_, revoke) => {
    const agent = await newAgent();
    const token = await runToken(agent);
    const stream = await streamOn(ingress, token.via);
    await revoke(agent, token);
    expect(await isClosed(stream, 2_000)).toBe(true);
    expect(await statusOn(ingress, token.via)).not.toBe(200);
  });

  test("regenerating the token closes what the old one opened, and the new one works", async () => {
    const agent = await newAgent();
    const stream = await streamOn(ingress, agent.via);
    const { body } = await world.gateway.api("POST", `/v1/agents/${agent.id}/regenerate-token`);
    expect(await isClosed(stream, 2_000)).toBe(true);
    expect(await statusOn(ingress, agent.via)).not.toBe(200);
    const renewed = viaOf(world.gateway, (body as { accessToken: string }).accessToken);
    expect(await statusOn(ingress, renewed)).toBe(200);
  });

  test("a run's token expires on time, for what is open too", async () => {
    const agent = await newAgent();
    const { via } = await runToken(agent, 1);
    const stream = await streamOn(ingress, via);
    expect(await isClosed(stream, 4_000)).toBe(true);
    expect(await statusOn(ingress, via)).not.toBe(200);
    expect(await statusOn(ingress, agent.via)).toBe(200);
  });

  test("deleting one run's token leaves the agent's other connections open", async () => {
    const agent = await newAgent();
    const [gone, kept] = [await runToken(agent), await runToken(agent)];
    const [goneStream, keptStream, classicStream] = await Promise.all([
      streamOn(ingress, gone.via),
      streamOn(ingress, kept.via),
      streamOn(ingress, agent.via),
    ]);
    await world.gateway.api("DELETE", `/v1/agents/${agent.id}/tokens/${gone.id}`);
    expect(await isClosed(goneStream, 2_000)).toBe(true);
    expect(await Promise.all([keptStream, classicStream].map((stream) => isClosed(stream, 300)))).toEqual([
      false,
      false,
    ]);
    for (const stream of [keptStream, classicStream]) stream.destroy();
  });

  test("a new block ends the stream it covers and no other", async () => {
    const agent = await newAgent();
    const other = await newAgent();
    const covered = await streamOn(ingress, agent.via, "/stream/secret");
    const elsewhere = await streamOn(ingress, agent.via, "/stream/public");
    const ofOther = await streamOn(ingress, other.via, "/stream/secret");
    const { id } = await world.gateway.rule({
      name: "No secrets",
      hostPattern: ingress.host,
      pathPattern: "/stream/secret",
      action: "block",
      agentId: agent.id,
    });
    expect(await isClosed(covered, 2_000)).toBe(true);
    expect(await Promise.all([elsewhere, ofOther].map((stream) => isClosed(stream, 300)))).toEqual([
      false,
      false,
    ]);
    expect(await statusOn(ingress, agent.via, "/stream/secret")).toBe(403);
    await world.gateway.api("DELETE", `/v1/rules/${id}`);
    for (const stream of [elsewhere, ofOther]) stream.destroy();
  });

  test("a call that waits for its origin is answered 403 and given up", async () => {
    const agent = await newAgent();
    let gone = false;
    ingress.origin(world).handle((_, response) => response.on("close", () => (gone = true)));
    const socket = await ingress.open(agent.via);
    socket.on("error", () => {});
    socket.write(messageOn(ingress, agent.via, { path: `/waiting-${count}` }));
    expect(await eventually(() => world.gateway.gateway.plane.live.exchanges.size > 0)).toBe(true);
    await eventually(() => ingress.origin(world).requests.at(-1)?.url === `/waiting-${count}`);
    const answered = readUntil(socket, isWholeAnswer, 3_000);
    const { id } = await world.gateway.rule({
      name: "Stop",
      hostPattern: ingress.host,
      action: "block",
      agentId: agent.id,
    });
    const answer = parseAnswer(await answered);
    expect(answer.status).toBe(403);
    expect(await eventually(() => gone)).toBe(true);
    await eventually(() => world.gateway.gateway.plane.live.exchanges.size === 0);
    expect((await world.gateway.audit()).findLast(({ type }) => type === "close")).toMatchObject({
      outcome: "revoked",
      status: 403,
    });
    await world.gateway.api("DELETE", `/v1/rules/${id}`);
    socket.destroy();
  });

  test("an idle connection stays usable after a change that takes nothing away", async () => {
    const agent = await newAgent();
    const socket = await ingress.open(agent.via);
    const ask = async () => {
      socket.write(messageOn(ingress, agent.via));
      return parseAnswer(await readUntil(socket, isWholeAnswer)).status;
    };
    expect(await ask()).toBe(200);
    const { id } = await world.gateway.rule({
      name: "Elsewhere",
      hostPattern: "elsewhere.test",
      action: "block",
    });
    expect(await ask()).toBe(200);
    await world.gateway.api("PATCH", `/v1/rules/${id}`, { hostPattern: ingress.host });
    expect(await ask()).toBe(403);
    await world.gateway.api("DELETE", `/v1/rules/${id}`);
    socket.destroy();
  });
});

describe("an idle tunnel", () => {
  test.each([
    ["before its first byte", async (via: Via) => (await openTunnel(via, `${HOST}:443`)).socket as Duplex],
    ["after its handshake", (via: Via) => (ingresses[0] as Ingress).open(via)],
  ])("closes with its agent %s, another agent's stays", async (_, open) => {
    const [agent, other] = [await newAgent(), await newAgent()];
    const [mine, others] = await Promise.all([open(agent.via), open(other.via)]);
    for (const socket of [mine, others]) socket.on("error", () => {});
    await world.gateway.api("DELETE", `/v1/agents/${agent.id}`);
    expect(await isClosed(mine, 2_000)).toBe(true);
    expect(await isClosed(others, 300)).toBe(false);
    others.destroy();
  });
});

describe("deleting a secret", () => {
  const secure = ingresses[0] as Ingress;

  test("ends the stream that it was placed in and no other, and is not placed again", async () => {
    const agent = await newAgent();
    const { id } = await demoSecret(world.gateway, { pathPattern: "/stream/with/*" });
    const withSecret = await streamOn(secure, agent.via, "/stream/with/secret");
    expect(valuesOf(world.origin.requests.at(-1)?.rawHeaders, "authorization")).toEqual([`Bearer ${VALUE}`]);
    const without = await streamOn(secure, agent.via, "/stream/without");
    await world.gateway.api("DELETE", `/v1/secrets/${id}`);
    expect(await isClosed(withSecret, 2_000)).toBe(true);
    expect(await isClosed(without, 300)).toBe(false);
    without.destroy();
    (await streamOn(secure, agent.via, "/stream/with/secret")).destroy();
    expect(valuesOf(world.origin.requests.at(-1)?.rawHeaders, "authorization")).toEqual([]);
  });

  test("ends the stream of an agent that may not use it any more", async () => {
    const agent = await newAgent();
    const { id } = await demoSecret(world.gateway, { pathPattern: "/stream/with/*" });
    const stream = await streamOn(secure, agent.via, "/stream/with/secret");
    await world.gateway.api("PATCH", `/v1/agents/${agent.id}/secret-mode`, { mode: "selective" });
    expect(await isClosed(stream, 2_000)).toBe(true);
    await world.gateway.api("DELETE", `/v1/secrets/${id}`);
  });
});

describe("a right that goes while the body is still being held", () => {
  const secure = ingresses[0] as Ingress;
  const fakeBody = async (agent: Victim) => {
    const { id } = await world.gateway.secret({
      name: `Held ${agent.identifier}`,
      type: "generic",
      value: VALUE,
      hostPattern: HOST,
      injectionConfig: { placeholder: ["body"] },
    });
    const { body } = await world.gateway.api("GET", `/v1/container-config?agent=${agent.identifier}`);
    const { placeholders } = body as { placeholders: { secret: string; value: string }[] };
    const fake = placeholders.find(({ secret }) => secret === `Held ${agent.identifier}`)?.value;
    return { id, text: JSON.stringify({ key: fake }) };
  };

  test.each([
    [
      "by a new block",
      async (agent: Victim) =>
        world.gateway.rule({
          name: `Block ${agent.identifier}`,
          hostPattern: HOST,
          action: "block",
          agentId: agent.id,
        }),
    ],
    [
      "by the secret's deletion",
      async (_: Victim, secretId: string) => world.gateway.api("DELETE", `/v1/secrets/${secretId}`),
    ],
  ])("%s stops the call before the origin", async (_, revoke) => {
    const agent = await newAgent();
    const { id, text } = await fakeBody(agent);
    const before = world.origin.requests.length;
    const socket = await secure.open(agent.via);
    socket.write(
      messageOn(secure, agent.via, {
        method: "POST",
        fields: ["Content-Type: application/json", `Content-Length: ${text.length}`],
        body: text.slice(0, 10),
      }),
    );
    expect(await eventually(() => world.gateway.gateway.plane.live.bodiesHeld === 1)).toBe(true);
    await revoke(agent, id);
    socket.write(text.slice(10));
    expect(parseAnswer(await readUntil(socket, isWholeAnswer)).status).toBe(403);
    expect(world.origin.requests.length).toBe(before);
    expect(world.gateway.gateway.plane.live.bodiesHeld).toBe(0);
    socket.destroy();
    await world.gateway.api("DELETE", `/v1/secrets/${id}`);
  });
});
