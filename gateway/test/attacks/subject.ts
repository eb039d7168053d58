// A gateway in a process of its own that the suite may ask for more than a product says: small limits, a heap snapshot.
import { setTimeout as sleep } from "node:timers/promises";
import v8 from "node:v8";
import { limits } from "../../src/limits.ts";

type Command = { readonly heap: string } | { readonly stop: true };

// Before anything that reads them is loaded.
Object.assign(limits, JSON.parse(process.env["ATTACK_LIMITS"] ?? "{}"));
const { compose } = await import("../../src/compose.ts");
const { readConfig } = await import("../../src/config.ts");
const { createLog } = await import("../../src/log.ts");

/** Longer than a closed connection lingers. */
const CLOSING_MS = 1_500;

const config = readConfig(process.env);
const gateway = await compose(config, createLog(config.logLevel));
process.on("message", (command: Command) => void obey(command));
process.once("disconnect", () => process.exit());
process.send?.({ port: gateway.port, ca: gateway.plane.authority.certificate });

async function obey(command: Command): Promise<void> {
  if ("stop" in command) {
    await gateway.stop();
    process.exit(0);
  }
  await gateway.plane.pools.close();
  // Connections that are being closed are held by their timers for a moment.
  await sleep(CLOSING_MS);
  // Twice, with time for finalizers in between: what one collection unlinks the next one frees.
  for (let round = 0; round < 2; round += 1) {
    (globalThis as { gc?: () => void }).gc?.();
    await sleep(50);
  }
  v8.writeHeapSnapshot(command.heap);
  process.send?.({ written: true });
}
