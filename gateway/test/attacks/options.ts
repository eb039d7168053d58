// The command line of `npm run attack`.
import { parseArgs } from "node:util";
import { readFileSync } from "node:fs";

export interface Options {
  /** null = a gateway of this project, started for the run */
  readonly proxy: URL | null;
  /** the value that the proxy places as `Authorization: Bearer …` on the host `api` */
  readonly secret: string | null;
  readonly ports: ForeignPorts;
  /** rows to run, by the beginning of their id */
  readonly only: readonly string[];
  readonly json: boolean;
  readonly help: boolean;
}

export interface ForeignPorts {
  readonly api: number;
  readonly other: number;
  readonly plain: number;
}

export const USAGE = `npm run attack -- [options]     without --proxy: against a gateway that is started for the run

  --proxy http://user:token@host:port   attack this proxy; names and origins as it must find them:
       api.attack.test:18443    TLS, the proxy places "Authorization: Bearer SECRET" here and nowhere else
       other.attack.test:18444  TLS, no secret
       plain.attack.test:18080  cleartext
     The suite serves them on 127.0.0.1; the proxy must resolve the names to it, be allowed to go there,
     and trust the authority that the suite writes to --origins-ca before it begins.
  --secret VALUE | --secret-file FILE   what the proxy places
  --origins-ca FILE                     where to write the authority of the origins' certificates (PEM)
  --wait SECONDS                        time to start the proxy after that file is written
  --only 01,04.2                        these rows or classes
  --json                                results as JSON

Exit code 1 when a row failed.
`;

export interface Parsed extends Options {
  readonly originsCaFile: string | null;
  readonly waitSeconds: number;
}

/** @throws TypeError on an unknown option */
export function parseOptions(args: readonly string[]): Parsed {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      proxy: text,
      secret: text,
      "secret-file": text,
      "origins-ca": text,
      // An attacker trusts whatever it is shown; accepted because proxies are named with theirs.
      ca: text,
      wait: text,
      only: text,
      json: flag,
      help: flag,
    },
  });
  const file = values["secret-file"];
  return {
    proxy: values.proxy === undefined ? null : new URL(values.proxy),
    secret: values.secret ?? (file === undefined ? null : readFileSync(file, "utf8").trim()),
    ports: { api: 18_443, other: 18_444, plain: 18_080 },
    only: values.only?.split(",") ?? [],
    json: values.json,
    help: values.help,
    originsCaFile: values["origins-ca"] ?? null,
    waitSeconds: Number(values.wait ?? 0),
  };
}
