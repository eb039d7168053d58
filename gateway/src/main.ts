// The process: configuration → parts → listening → drain on a signal. Everything heavy is imported after the compile
// cache is on.
import { mkdirSync } from "node:fs";
import { enableCompileCache } from "node:module";
import os from "node:os";
import path from "node:path";

const cache = compileCacheDirectory();
if (cache !== undefined) enableCompileCache(cache);
const { ConfigError, readConfig } = await import("./config.ts");
const { compose } = await import("./compose.ts");
const { banner } = await import("./banner.ts");
const { createLog } = await import("./log.ts");

/** Where no other user can plant code: beside the data, for its owner only. undefined = no cache. */
function compileCacheDirectory(): string | undefined {
  const home = process.env["HOME"] ?? os.homedir();
  const directory = path.join(process.env["ONECLI_DATA_DIR"] ?? path.join(home, ".onecli", "data"), "cache");
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    return directory;
  } catch {
    return undefined;
  }
}

const EXIT_CONFIG = 78; // sysexits.h EX_CONFIG

async function main(): Promise<void> {
  const config = readConfig(process.env);
  const log = createLog(config.logLevel);
  const gateway = await compose(config, log);
  process.stdout.write(banner(gateway, config));
  let stopping = false;
  const stop = (signal: NodeJS.Signals) => {
    if (stopping) {
      log.warn({ signal }, "second signal: stopping at once");
      process.exit(1);
    }
    stopping = true;
    log.info({ signal }, "stopping: running calls may end, a second signal stops at once");
    gateway.stop().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  process.on("uncaughtException", (error) => crash(log, error));
  process.on("unhandledRejection", (error) => crash(log, error));
}

/** The message of an unexpected error may quote what it choked on, so only its kind and places are printed. */
function crash(log: ReturnType<typeof createLog>, error: unknown): void {
  const kind = error instanceof Error ? error.name : typeof error;
  const code = error instanceof Error && "code" in error ? String(error.code) : undefined;
  const frames =
    error instanceof Error ? (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line)) : [];
  log.fatal({ kind, code, frames: frames.slice(0, 12) }, "the gateway failed and stops");
  process.exit(70);
}

main().catch((error: unknown) => {
  const isConfig = error instanceof ConfigError;
  const text = error instanceof Error ? error.message : "could not start";
  process.stderr.write(`onecli gateway: ${text}\n`);
  process.exit(isConfig ? EXIT_CONFIG : 1);
});
