// The control plane, from where agents and web pages stand.
import { row } from "../row.ts";
import { connect, shown, takeIn, type Outcome } from "../wire.ts";
import type { OwnParts, World } from "../world.ts";

const CLASS = "control plane";
const ingresses = ["absolute"] as const;

interface Call {
  readonly method?: string;
  readonly path?: string;
  /** the Host field; localhost and the port when absent */
  readonly host?: string;
  readonly fields?: readonly string[];
  readonly body?: unknown;
  readonly overUnix?: boolean;
}

/** A call of the API on the proxy's port, written by hand. */
async function call({ proxy }: World, call: Call): Promise<Outcome> {
  const { method = "GET", path = "/v1/agents", fields = [], overUnix = false } = call;
  const body = call.body === undefined ? "" : JSON.stringify(call.body);
  const socket = await connect(proxy, overUnix);
  const lines = [
    `${method} ${path} HTTP/1.1`,
    `Host: ${call.host ?? `localhost:${proxy.port}`}`,
    ...fields,
    ...(body === "" ? [] : ["Content-Type: application/json", `Content-Length: ${Buffer.byteLength(body)}`]),
  ];
  socket.write(`${lines.join("\r\n")}\r\n\r\n${body}`);
  return await takeIn(socket);
}

const admin = ({ gateway }: OwnParts) => `Authorization: Bearer ${gateway.apiKey}`;
const basicOf = (user: string, password: string) =>
  `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;

const routes = [
  "/v1/agents",
  "/api/agents",
  "/v1/secrets",
  "/v1/rules",
  "/v1/audit",
  "/v1/user",
  "/v1/api-keys",
  "/metrics",
  "/v1/container-config",
  "/v1/openapi.json",
  "/v1/approvals/pending",
  "/v1/gateway-url",
];

export const rows = [
  row({
    id: "22.1",
    class: CLASS,
    name: "An agent's token opens nothing of the control plane, in whatever field it comes",
    ingresses,
    needs: ["own"],
    async on({ world, check }) {
      const token = world.own?.agent.token ?? "";
      const fields = [
        `Authorization: Bearer ${token}`,
        `Authorization: ${basicOf("x", token)}`,
        `Authorization: ${token}`,
        `Proxy-Authorization: ${basicOf("x", token)}`,
        `X-Api-Key: ${token}`,
        `Cookie: session=${token}`,
      ];
      for (const path of routes) {
        const none = await call(world, { path });
        check(none.status === 401, `${path} without a credential got ${shown(none)}`);
      }
      for (const field of fields) {
        const outcome = await call(world, { fields: [field] });
        check(outcome.status === 401, `${field.slice(0, 24)} got ${shown(outcome)}`);
      }
    },
  }),
  row({
    id: "22.2",
    class: CLASS,
    name: "The admin key is no token of an agent",
    ingresses,
    needs: ["own"],
    async on({ world, check }) {
      const key = world.own?.gateway.apiKey ?? "";
      for (const credentials of [basicOf("x", key), basicOf(key, ""), `Bearer ${key}`]) {
        const socket = await connect(world.proxy);
        socket.write(
          `CONNECT api.attack.test:443 HTTP/1.1\r\nHost: api.attack.test:443\r\nProxy-Authorization: ${credentials}\r\n\r\n`,
        );
        const outcome = await takeIn(socket);
        check(outcome.status === 407, `got ${shown(outcome)}`);
      }
    },
  }),
  row({
    id: "22.3",
    class: CLASS,
    name: "Under a Host that is not the gateway's own nothing is served: a rebound name reaches no API and no page",
    ingresses,
    needs: ["own"],
    async on({ world, check }) {
      const { own } = world;
      if (own === null) return;
      for (const host of [
        "evil.test",
        `evil.test:${own.gateway.port}`,
        "localhost.evil.test",
        "127.0.0.1.evil.test",
        "localhost@evil.test",
        "",
        "10.0.0.1",
      ]) {
        for (const path of ["/v1/agents", "/v1/health", "/", "/index.html"]) {
          const outcome = await call(world, { path, host, fields: [admin(own)] });
          check(outcome.status >= 400, `${path} as "${host}" got ${shown(outcome)}`);
        }
      }
    },
  }),
  row({
    id: "22.4",
    class: CLASS,
    name: "Pages of other sites can neither call nor read",
    ingresses,
    needs: ["own"],
    async on({ world, check }) {
      const { own } = world;
      if (own === null) return;
      for (const origin of [
        "https://evil.test",
        "null",
        "http://localhost",
        `http://localhost:1`,
        `http://localhost:${own.gateway.port}.evil.test`,
      ]) {
        for (const method of ["GET", "POST", "OPTIONS"]) {
          const fields = [
            `Origin: ${origin}`,
            admin(own),
            "Access-Control-Request-Method: POST",
            "Sec-Fetch-Site: cross-site",
          ];
          const outcome = await call(world, {
            method,
            fields,
            ...(method === "POST" ? { body: { name: "evil", identifier: "evil" } } : {}),
          });
          check(outcome.status >= 400, `${method} from ${origin} got ${shown(outcome)}`);
          check(!/^access-control-allow/im.test(outcome.text), `${method} from ${origin} got CORS fields`);
        }
      }
    },
  }),
  row({
    id: "22.5",
    class: CLASS,
    name: "An absolute URL that names the gateway is a proxied call, never its API",
    ingresses,
    needs: ["own"],
    async on({ world, check }) {
      const { own, proxy } = world;
      if (own === null) return;
      for (const host of ["localhost", "127.0.0.1", "[::1]", "onecli.internal", "evil.test"]) {
        const path = `http://${host}:${proxy.port}/v1/agents`;
        for (const fields of [[admin(own)], [admin(own), `Proxy-Authorization: ${proxy.credentials}`]]) {
          const outcome = await call(world, { path, host: `${host}:${proxy.port}`, fields });
          check(
            outcome.status >= 400 && !outcome.text.includes("accessToken"),
            `${path} got ${shown(outcome)}`,
          );
        }
      }
    },
  }),
  row({
    id: "22.6",
    class: CLASS,
    name: "The unix socket, which agents may open, serves no API",
    ingresses: ["unix"],
    needs: ["own"],
    async on({ world, check }) {
      const { own } = world;
      if (own === null) return;
      for (const path of ["/v1/agents", "/v1/health", "/", "/metrics", "/healthz"]) {
        const outcome = await call(world, { path, overUnix: true, fields: [admin(own)] });
        check(outcome.status === 404, `${path} got ${shown(outcome)}`);
      }
    },
  }),
  row({
    id: "22.7",
    class: CLASS,
    name: "Members that nobody may choose are not taken over, and a minted right is no larger than its minter's",
    ingresses,
    needs: ["own"],
    async on({ world, check }) {
      const { own } = world;
      if (own === null) return;
      const { gateway } = own;
      const chosen = {
        id: own.agent.id,
        accessToken: "aoc_chosen",
        createdBy: "chosen",
        isDefault: true,
        createdAt: "1970-01-01T00:00:00.000Z",
      };
      const identifier = `mass-${process.pid}`;
      const made = await gateway.api("POST", "/v1/agents", { name: "Mass", identifier, ...chosen });
      const body = made.body as { id?: string; isDefault?: boolean };
      check(
        made.status === 400 || (body.id !== chosen.id && body.isDefault !== true),
        "an agent took over chosen members",
      );
      const { body: minted } = await gateway.api("POST", "/v1/api-keys", { name: "Runner", role: "runner" });
      const runner = `Authorization: Bearer ${(minted as { apiKey: string }).apiKey}`;
      const attempts: Call[] = [
        { method: "POST", path: "/v1/api-keys", body: { name: "up", role: "admin" } },
        {
          method: "POST",
          path: "/v1/secrets",
          body: { name: "x", type: "generic", value: "12345678", hostPattern: "x.test" },
        },
        { method: "POST", path: "/v1/rules", body: { name: "x", hostPattern: "*.test", action: "allow" } },
        { method: "POST", path: `/v1/agents/${own.agent.id}/regenerate-token`, body: {} },
        { method: "POST", path: `/v1/agents/${own.agent.id}/tokens`, body: { ttlSeconds: 60, labels: {} } },
        { method: "PATCH", path: `/v1/agents/${own.agent.id}`, body: { name: "mine" } },
        { method: "DELETE", path: `/v1/agents/${own.agent.id}` },
        { method: "GET", path: "/v1/container-config?agent=worker" },
      ];
      for (const attempt of attempts) {
        const outcome = await call(world, { ...attempt, fields: [runner] });
        check(
          outcome.status === 403 || outcome.status === 404,
          `a runner's ${attempt.method} ${attempt.path} got ${shown(outcome)}`,
        );
      }
    },
  }),
];
