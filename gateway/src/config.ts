// Environment → Config. The only reader of process.env; every error names its variable and says what to write.
import os from "node:os";
import path from "node:path";
import { z } from "zod";

const DEFAULT_PORT = 10_254;

const port = z.coerce
  .number({ error: "must be a port number" })
  .int("must be a port number")
  .min(0, "must be between 0 and 65535")
  .max(65_535, "must be between 0 and 65535");

const numberOf = (unit: string, { min, max }: { min: number; max: number }) => {
  const message = `must be a number of ${unit} from ${min} to ${max}`;
  return z.coerce.number({ error: message }).min(min, message).max(max, message);
};

const list = z.string().transform((text) =>
  text
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== ""),
);

const portList = list
  .transform((entries) => entries.map(Number))
  .pipe(z.array(z.int("must be ports, e.g. 443,8443").min(1).max(65_535)));
const namesOnly = list.pipe(
  z.array(
    z
      .string()
      .regex(
        /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])$/,
        "must be host names without scheme and port, e.g. localhost,[::1]",
      ),
  ),
);
/** Passed on to agents as it stands: what no program understands would match nothing, unnoticed. */
const directNames = z
  .string()
  .regex(
    /^[\w.*:/[\]-]*(?:\s*,\s*[\w.*:/[\]-]*)*$/,
    "must be names or addresses, comma-separated, e.g. .internal,10.0.0.0/8",
  )
  .refine((text) => !text.includes("://"), "must be names or addresses, without a scheme");
const flagless = (value: string | undefined) =>
  value === undefined || value.trim() === "" ? undefined : value;

const environment = z.object({
  ONECLI_PORT: port.default(DEFAULT_PORT),
  ONECLI_BIND_HOST: list.default(["auto"]),
  ONECLI_RESOLVE: z.string().default(""),
  ONECLI_ALLOW_PORTS: portList.default([443, 80]),
  ONECLI_ALLOWED_HOSTS: namesOnly.default(["localhost", "127.0.0.1", "[::1]"]),
  ONECLI_NO_PROXY: directNames.default(""),
  ONECLI_APPROVAL_TIMEOUT: numberOf("seconds", { min: 1, max: 86_400 }).default(180),
  ONECLI_AUDIT_RETENTION: numberOf("days", { min: 0.01, max: 36_500 }).optional(),
  ONECLI_AUDIT_SYNC: z.enum(["normal", "full"], "must be normal or full").default("normal"),
  ONECLI_ADMIN_PORT: port.optional(),
  ONECLI_SOCKET: z.string().optional(),
  ONECLI_DATA_DIR: z.string().optional(),
  ONECLI_CREDENTIALS_FILE: z.string().optional(),
  ONECLI_MASTER_KEY: z.string().optional(),
  ONECLI_MASTER_KEY_FILE: z.string().optional(),
  ONECLI_PASSPHRASE: z.string().optional(),
  ONECLI_API_KEY: z
    .string()
    .regex(/^oc_[0-9a-f]{64}$/, "must be oc_ and 64 lower-case hex digits")
    .optional(),
  DATABASE_URL: z.string().optional(),
  ONECLI_PROXY_HOST: z
    .string()
    .regex(/^[A-Za-z0-9._[\]:-]+$/, "must be a host name or address")
    .default("host.docker.internal"),
  ONECLI_ALLOW_PRIVATE: z.string().default(""),
  ONECLI_EXTRA_CA: z.string().optional(),
  ONECLI_DEFAULT_ACTION: z.enum(["allow", "deny"], "must be allow or deny").default("allow"),
  LOG_LEVEL: z
    .enum(
      ["fatal", "error", "warn", "info", "debug", "trace", "silent"],
      "must be a log level such as info or debug",
    )
    .default("info"),
});

export interface Config {
  readonly port: number;
  /** `auto`, or addresses that are bound, on which API and dashboard are served too */
  readonly bindHosts: readonly string[];
  readonly adminPort: number | null;
  readonly socketPath: string | null;
  readonly allowedHosts: readonly string[];
  readonly allowedPorts: readonly number[];
  /** curl's form: `host:port=address:port,…` */
  readonly resolve: string;
  readonly allowPrivate: string;
  readonly extraCaFile: string | null;
  readonly dataDir: string;
  /** where the CLI reads the admin key */
  readonly credentialsFile: string;
  readonly kek: {
    readonly masterKey: string | null;
    readonly masterKeyFile: string | null;
    readonly passphrase: string | null;
  };
  readonly apiKey: string | null;
  readonly proxyHost: string;
  readonly noProxy: string;
  readonly defaultAction: "allow" | "deny";
  readonly approvalTimeoutSeconds: number;
  /** null = keep for ever */
  readonly auditRetentionDays: number | null;
  readonly auditSync: "normal" | "full";
  readonly logLevel: string;
}

/** What is wrong with the configuration, one line a variable. */
export class ConfigError extends Error {
  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.name = "ConfigError";
  }
}

/** @throws ConfigError naming every variable that does not parse */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const present = Object.fromEntries(
    Object.keys(environment.shape).map((name) => [name, flagless(env[name])]),
  );
  const parsed = environment.safeParse(present);
  if (!parsed.success) {
    throw new ConfigError(parsed.error.issues.map((issue) => `${String(issue.path[0])}: ${issue.message}`));
  }
  const problems = [...databaseProblems(parsed.data.DATABASE_URL), ...keyProblems(parsed.data)];
  if (problems.length > 0) throw new ConfigError(problems);
  return toConfig(parsed.data, env["HOME"] ?? os.homedir());
}

type Environment = z.infer<typeof environment>;

function databaseProblems(url: string | undefined): string[] {
  if (url === undefined) return [];
  return [
    "DATABASE_URL: only the embedded SQLite database is supported; unset it and name a folder by ONECLI_DATA_DIR",
  ];
}

function keyProblems(env: Environment): string[] {
  const named = (["ONECLI_MASTER_KEY", "ONECLI_MASTER_KEY_FILE", "ONECLI_PASSPHRASE"] as const).filter(
    (name) => env[name] !== undefined,
  );
  return named.length > 1 ? [`${named.join(", ")}: name one of them, not several`] : [];
}

function toConfig(env: Environment, home: string): Config {
  return {
    port: env.ONECLI_PORT,
    bindHosts: env.ONECLI_BIND_HOST,
    adminPort: env.ONECLI_ADMIN_PORT ?? null,
    socketPath: env.ONECLI_SOCKET ?? null,
    allowedHosts: env.ONECLI_ALLOWED_HOSTS,
    allowedPorts: env.ONECLI_ALLOW_PORTS,
    resolve: env.ONECLI_RESOLVE,
    allowPrivate: env.ONECLI_ALLOW_PRIVATE,
    extraCaFile: env.ONECLI_EXTRA_CA ?? null,
    dataDir: path.resolve(env.ONECLI_DATA_DIR ?? path.join(home, ".onecli", "data")),
    credentialsFile: path.resolve(
      env.ONECLI_CREDENTIALS_FILE ?? path.join(home, ".onecli", "credentials", "api-key"),
    ),
    kek: {
      masterKey: env.ONECLI_MASTER_KEY ?? null,
      masterKeyFile: env.ONECLI_MASTER_KEY_FILE ?? null,
      passphrase: env.ONECLI_PASSPHRASE ?? null,
    },
    apiKey: env.ONECLI_API_KEY ?? null,
    proxyHost: env.ONECLI_PROXY_HOST,
    noProxy: env.ONECLI_NO_PROXY,
    defaultAction: env.ONECLI_DEFAULT_ACTION,
    approvalTimeoutSeconds: env.ONECLI_APPROVAL_TIMEOUT,
    auditRetentionDays: env.ONECLI_AUDIT_RETENTION ?? null,
    auditSync: env.ONECLI_AUDIT_SYNC,
    logLevel: env.LOG_LEVEL,
  };
}
