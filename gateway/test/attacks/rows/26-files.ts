// What lies on the disk: who may read it, and what happens when somebody changed it.
import Database from "better-sqlite3";
import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import { startGateway } from "../../support/gateway.ts";
import { row } from "../row.ts";
import { tap } from "../tap.ts";
import { send, shown } from "../wire.ts";
import { basic } from "../../support/client.ts";
import type { Place, World } from "../world.ts";

const CLASS = "files";
const OWNER_ONLY = 0o077;

/** A data directory that a gateway with two secrets left behind. */
async function leftBehind({ api, other }: World) {
  const dataDir = mkdtempSync(path.join(os.tmpdir(), "onecli-files-"));
  const options = {
    dataDir,
    origins: Object.fromEntries(
      [api, other].map(({ host, origin }) => [host, { port: origin.port, ca: origin.ca }]),
    ),
  };
  const gateway = await startGateway(options);
  const { token } = await gateway.agent("worker");
  for (const [place, value] of [
    [api, "value-of-the-api-host"],
    [other, "value-of-the-other-host"],
  ] as const)
    await gateway.secret({
      name: place.host,
      type: "generic",
      value,
      hostPattern: place.host,
      injectionConfig: { headerName: "Authorization" },
    });
  return {
    gateway,
    options: { ...options, apiKey: gateway.apiKey },
    data: path.join(dataDir, "data"),
    token,
  };
}

function databaseIn(directory: string): string {
  const name = readdirSync(directory).find((file) => /\.(?:db|sqlite3?)$/.test(file));
  if (name === undefined) throw new Error("there is no database");
  return path.join(directory, name);
}

export const rows = [
  row({
    id: "26.1",
    class: CLASS,
    name: "Files are the owner's alone",
    ingresses: ["tunnel-tls"],
    needs: ["own"],
    async on({ world, check }) {
      const { gateway, options, data } = await leftBehind(world);
      try {
        check((statSync(data).mode & OWNER_ONLY) === 0, "others may enter the data directory");
        for (const file of readdirSync(data))
          check((statSync(path.join(data, file)).mode & OWNER_ONLY) === 0, `others may read ${file}`);
      } finally {
        await gateway.stop();
        rmSync(options.dataDir, { recursive: true, force: true });
      }
    },
  }),
  row({
    id: "26.2",
    class: CLASS,
    name: "Values that were swapped in the database are not placed",
    ingresses: ["tunnel-tls"],
    needs: ["own"],
    async on({ world, check }) {
      const { gateway, options, data, token } = await leftBehind(world);
      await gateway.stop();
      swapValues(databaseIn(data));
      const again = await startGateway(options);
      try {
        const proxy = { host: "127.0.0.1", port: again.port, credentials: basic(token), socketPath: null };
        const at = (place: Place): Place => ({ ...place, port: 443 });
        for (const place of [at(world.api), at(world.other)]) {
          const seen = tap(world);
          const outcome = await send({ ...world, proxy }, "tunnel-tls", place, {});
          check(!seen.all().includes("value-of-the"), `${place.host} got a value that is not its own`);
          check(outcome.status >= 400, `the call went on (${shown(outcome)})`);
        }
      } finally {
        await again.stop();
        rmSync(options.dataDir, { recursive: true, force: true });
      }
    },
  }),
  row({
    id: "26.3",
    class: CLASS,
    name: "With a wrong key or a damaged database the gateway does not start, and changes nothing",
    ingresses: ["tunnel-tls"],
    needs: ["own"],
    async on({ world, check }) {
      const { gateway, options, data } = await leftBehind(world);
      await gateway.stop();
      const database = databaseIn(data);
      const copy = `${database}.copy`;
      copyFileSync(database, copy);
      try {
        const before = contentOf(database);
        const wrong = await startGateway({
          ...options,
          env: { ONECLI_MASTER_KEY: Buffer.alloc(32, 7).toString("base64") },
        }).catch((error: unknown) => error);
        check(wrong instanceof Error && wrong.message.length > 0, "it started with a wrong key");
        check(contentOf(database).equals(before), "the wrong key changed the database");
        truncateSync(database, Math.floor(before.length / 2));
        const damaged = await startGateway(options).catch((error: unknown) => error);
        check(damaged instanceof Error, "it started with half a database");
        check(
          contentOf(database).length === Math.floor(before.length / 2),
          "half a database was repaired into something else",
        );
        writeFileSync(database, "this is no database");
        const foreign = await startGateway(options).catch((error: unknown) => error);
        check(foreign instanceof Error, "it started with a file that is no database");
      } finally {
        rmSync(options.dataDir, { recursive: true, force: true });
      }
    },
  }),
];

const contentOf = (file: string) => readFileSync(file);

function swapValues(file: string): void {
  const database = new Database(file);
  const column = database
    .prepare("select name from pragma_table_info('secrets') where name like '%seal%'")
    .pluck()
    .get() as string;
  const rows = database.prepare(`select id, ${column} as value from secrets`).all() as {
    id: string;
    value: Buffer;
  }[];
  const write = database.prepare(`update secrets set ${column} = ? where id = ?`);
  rows.forEach(({ id }, at) => write.run(rows[(at + 1) % rows.length]?.value, id));
  database.close();
}
