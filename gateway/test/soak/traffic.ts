// Many calls through one gateway process while the vault's keys and the secret change: nothing fails, nothing grows.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Load } from "../crash/load.ts";
import type { Ledger } from "../crash/ledger.ts";
import { missing, type Stage } from "../crash/stage.ts";
import type { Figures } from "./figures.ts";

const CONNECTIONS = 32;
const LOOK_MS = 200;
/** parts of the traffic at whose borders memory is read and something is rotated */
const PARTS = 10;
/** parts until caches and compiled code are there */
const WARM_PARTS = 3;
const GROWTH_MAX_BYTES = 24 * 1024 * 1024;
const MIB = 1024 * 1024;

interface Sample {
  readonly rss: number;
  /** open descriptors; null where the system does not tell */
  readonly handles: number | null;
}

export interface TrafficPlan {
  readonly requests: number;
  /** on a busy machine the calls end here, however many there were */
  readonly msMax: number;
}

export async function soakTraffic(
  stage: Stage,
  ledger: Ledger,
  plan: TrafficPlan,
  figures: Figures,
): Promise<void> {
  const before = handlesOf(stage.gateway.pid);
  const cpuBefore = cpuMsOf(stage.gateway.pid);
  const startedAt = performance.now();
  const load = stage.load({ name: "traffic", connections: CONNECTIONS, requests: plan.requests });
  const { samples, rotations } = await watch(stage, load, plan);
  await load.stop();
  noteSpeed(
    load,
    plan,
    { ms: performance.now() - startedAt, cpuMs: cpuMsOf(stage.gateway.pid) - cpuBefore },
    figures,
  );
  figures.check("calls that failed", String(load.failed), load.failed === 0);
  figures.check("vault and secret rotated meanwhile", `${rotations} times each`, rotations >= PARTS / 2);
  checkMemory(samples, figures);
  await checkHandles(stage, { before, samples, figures });
  await checkRecords(stage, ledger, { load, figures });
  await checkNewestValue(stage, figures);
}

function noteSpeed(
  load: Load,
  plan: TrafficPlan,
  took: { ms: number; cpuMs: number },
  figures: Figures,
): void {
  const count = load.answered.size;
  const perSecond = Math.round((count * 1000) / took.ms);
  const ended = count < plan.requests ? `, ended by time after ${plan.msMax / 1000} s` : "";
  figures.note("calls", `${count} of ${plan.requests}, ${perSecond} a second${ended}`);
  const micros = Math.round((took.cpuMs * 1000) / count);
  if (took.cpuMs > 0) figures.note("processor time a call, all threads", `${micros} us`);
}

async function watch(stage: Stage, load: Load, { requests, msMax }: TrafficPlan) {
  const startedAt = performance.now();
  const samples: Sample[] = [];
  let rotations = 0;
  const share = () => Math.max(load.sent / requests, (performance.now() - startedAt) / msMax);
  for (let part = 1; part < PARTS; part += 1) {
    while (share() < part / PARTS) await sleep(LOOK_MS);
    samples.push(await sample(stage));
    await Promise.all([stage.gateway.api("POST", "/v1/vault/rotate"), stage.renewSecret()]);
    rotations += 1;
  }
  while (share() < 1) await sleep(LOOK_MS);
  samples.push(await sample(stage));
  return { samples, rotations };
}

async function sample({ gateway }: Stage): Promise<Sample> {
  const metrics = await gateway.api<string>("GET", "/metrics");
  const rss = Number(/^process_resident_memory_bytes (\S+)$/m.exec(metrics)?.[1]);
  return { rss, handles: handlesOf(gateway.pid) };
}

function handlesOf(pid: number): number | null {
  const directory = `/proc/${pid}/fd`;
  return existsSync(directory) ? readdirSync(directory).length : null;
}

const TICK_MS = 10;

/** User and system time; proc(5): fields 14 and 15 of stat, in clock ticks. 0 where the system does not tell. */
function cpuMsOf(pid: number): number {
  const file = `/proc/${pid}/stat`;
  if (!existsSync(file)) return 0;
  const fields = readFileSync(file, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

function checkMemory(samples: readonly Sample[], figures: Figures): void {
  const mebibytes = samples.map(({ rss }) => Math.round(rss / MIB));
  const warm = samples[WARM_PARTS - 1]?.rss ?? Number.NaN;
  const growth = (samples.at(-1)?.rss ?? Number.NaN) - warm;
  figures.note("resident memory, MiB", mebibytes.join(" "));
  figures.check(
    "growth after the warm-up, MiB",
    `${(growth / MIB).toFixed(1)}, at most ${GROWTH_MAX_BYTES / MIB}`,
    growth <= GROWTH_MAX_BYTES,
  );
}

interface HandleCheck {
  readonly before: number | null;
  readonly samples: readonly Sample[];
  readonly figures: Figures;
}

const IDLE_MS_MAX = 10_000;

/** connections of this API's client, and files that SQLite opens for a moment */
const SLACK = 8;

/** Sockets to origins stay open for reuse: no more than calls that ran at once. */
async function checkHandles({ gateway }: Stage, { before, samples, figures }: HandleCheck): Promise<void> {
  if (before === null) return figures.note("open handles", "not known on this system");
  const allowed = before + CONNECTIONS + SLACK;
  const until = Date.now() + IDLE_MS_MAX;
  while ((handlesOf(gateway.pid) ?? 0) > allowed && Date.now() < until) await sleep(LOOK_MS);
  const after = handlesOf(gateway.pid) ?? 0;
  const most = Math.max(...samples.map(({ handles }) => handles ?? 0));
  const found = `${before} before, ${most} at most, ${after} after`;
  figures.check("open handles", found, after <= allowed && most <= before + 2 * CONNECTIONS + SLACK);
}

async function checkRecords(
  { witness }: Stage,
  ledger: Ledger,
  { load, figures }: { load: Load; figures: Figures },
): Promise<void> {
  await ledger.read();
  const lost = missing(witness.credentialed, ledger.opened);
  figures.check(
    "uses of the credential without a row",
    `${lost.length} of ${witness.credentialed.size}`,
    lost.length === 0,
  );
  const closed = new Set(ledger.outcomes.keys());
  const unclosed = missing(load.answered, closed);
  figures.check("answered calls without a closing row", String(unclosed.length), unclosed.length === 0);
  figures.check(
    "calls that arrived without the credential",
    String(witness.bare.size),
    witness.bare.size === 0,
  );
}

const LAST_CALLS = 100;

/** The witness forgets the old values: a call with one of them counts as bare. */
async function checkNewestValue(stage: Stage, figures: Figures): Promise<void> {
  await stage.renewSecret();
  const { credentials, bare } = stage.witness;
  const [newest = ""] = [...credentials].slice(-1);
  credentials.clear();
  credentials.add(newest);
  const load = stage.load({ name: "newest", connections: 4, requests: LAST_CALLS });
  await load.done;
  figures.check("calls with an old value after the change", `${bare.size} of ${LAST_CALLS}`, bare.size === 0);
}
