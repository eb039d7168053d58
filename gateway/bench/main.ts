// npm run bench [-- --quick | --long] [--only bulk] [--json] [--profile FOLDER]: measures the gateway beside a bare
// TLS pass and http-mitm-proxy. Exits with 0 whatever the figures are, with 1 when something did not run.
import { type Bed, openBed } from "./bed.ts";
import { measureBulk } from "./bulk.ts";
import { measureConnections } from "./connections.ts";
import { measureDecide } from "./decide.ts";
import { measureLatency } from "./latency.ts";
import { measureMemory } from "./memory.ts";
import { type Options, readOptions } from "./options.ts";
import { measureReady } from "./ready.ts";
import { bulkToJson, bulkToText, type Figures, toJson, toText } from "./report.ts";
import { CONNECTIONS, measureRequests } from "./requests.ts";

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  const bed = await openBed(options.profile);
  const report = options.only === "bulk" ? await bulkReport(bed, options) : await fullReport(bed, options);
  await bed.close();
  process.stdout.write(report);
}

async function fullReport(bed: Bed, options: Options): Promise<string> {
  const figures = await measure(bed, options);
  return options.json ? toJson(figures) : toText(figures);
}

async function bulkReport(bed: Bed, { mode, bulk, json }: Options): Promise<string> {
  progress("bulk and scrubbing");
  const run = { mode, bulk: await measureBulk(bed, bulk), proof: await bed.proof() };
  return json ? bulkToJson(run) : bulkToText(run);
}

async function measure(bed: Bed, options: Options): Promise<Figures> {
  progress("decide()");
  const decide = measureDecide();
  progress("ready time");
  const ready = await measureReady(bed, options.readyStarts);
  progress("CPU a request");
  const requests = await measureRequests(bed, options.requests);
  progress("CPU a new connection");
  const full = await measureConnections(bed, options.connections, false);
  const resumed = await measureConnections(bed, options.connections, true);
  progress("latency");
  const latency = [
    await measureLatency(bed, options.latency, 1),
    await measureLatency(bed, options.latency, CONNECTIONS),
  ];
  progress("bulk and scrubbing");
  const bulk = await measureBulk(bed, options.bulk);
  const proof = await bed.proof();
  progress("memory");
  const memory = await measureMemory(bed, options.memoryAfter);
  return {
    mode: options.mode,
    requests,
    newConnections: { full, resumed },
    ready,
    memory,
    decide,
    latency,
    bulk,
    proof,
  };
}

/** On stderr: stdout is the report. */
function progress(what: string): void {
  process.stderr.write(`measuring: ${what}\n`);
}

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : "failed"}\n`);
    process.exit(1);
  },
);
