// npm run soak: hours of a gateway's life in a minute (SOAK=short, the default) or an afternoon's worth (SOAK=full).
import { byDatabase, openLedger } from "../crash/ledger.ts";
import { openStage, type Stage } from "../crash/stage.ts";
import { fuzz } from "../fuzz/fuzz.ts";
import { createFigures, type Figures } from "./figures.ts";
import { soakKills } from "./kills.ts";
import { filesIn, leaksIn } from "./leaks.ts";
import { soakMany } from "./many.ts";
import { soakTraffic } from "./traffic.ts";

const plans = {
  short: { kills: 5, requests: 100_000, msMax: 40_000, fuzzMs: 5_000, idleTunnels: 500, hostNames: 300 },
  full: {
    kills: 50,
    requests: 1_000_000,
    msMax: Infinity,
    fuzzMs: 600_000,
    idleTunnels: 5_000,
    hostNames: 100_000,
  },
} as const;

// With room, V8 lets garbage lie for minutes, which looks like a leak; within a bound, only what is held can grow.
const boundedHeap = { NODE_OPTIONS: "--max-old-space-size=96" };

async function main(): Promise<void> {
  const name = process.env["SOAK"] ?? "short";
  if (name !== "short" && name !== "full") throw new Error("SOAK is short or full");
  const plan = plans[name];
  const figures = createFigures((line) => console.log(line));
  const startedAt = performance.now();
  const stage = await openStage(boundedHeap);
  try {
    const ledger = openLedger(stage.gateway, byDatabase(stage.gateway));
    await soakKills(stage, ledger, plan.kills, figures);
    await soakTraffic(stage, ledger, plan, figures);
    if (process.platform === "linux") await soakMany(stage, plan, figures);
    else figures.note("idle tunnels and host names", "SKIPPED: handles are counted in /proc");
    const { valid, records, problem } = await ledger.verify();
    figures.check("audit chain", problem ?? `verified, ${records} rows`, valid);
    await stop(stage, figures);
  } finally {
    await stage.close();
  }
  await soakFuzz(plan.fuzzMs, figures);
  figures.note("duration", `${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
  if (figures.end().failed > 0) process.exitCode = 1;
}

/** From another seed each day, which is printed: a finding can be played again. */
async function soakFuzz(msMax: number, figures: Figures): Promise<void> {
  const seed = Math.floor(Date.now() / 86_400_000) * 1_000_000;
  const { inputs, findings } = await fuzz({ seed, msMax, inputsMax: Number.MAX_SAFE_INTEGER });
  const found = `${findings.length} in ${inputs} broken inputs from seed ${seed} on`;
  figures.check("fuzzing", [found, ...findings].join("; "), findings.length === 0);
}

async function stop({ gateway, values, token }: Stage, figures: Figures): Promise<void> {
  const { code } = await gateway.kill("SIGTERM");
  figures.check("exit code after SIGTERM", String(code), code === 0);
  const known = [
    ...values.map((value, index) => ({ name: `value ${index + 1} of the secret`, value })),
    { name: "admin key", value: gateway.apiKey },
    { name: "agent's token", value: token },
  ];
  const [first] = values;
  const planted = Buffer.from(Buffer.from(`a${first}z`).toString("base64"));
  const finds = leaksIn([["planted", planted]], known).length === 1;
  figures.check("a planted value is found", String(finds), finds);
  const places = [...filesIn(gateway.home), ["the output", Buffer.from(gateway.output)] as const];
  const leaks = leaksIn(places, known);
  const found = `${leaks.length} of ${known.length} in ${places.length} places`;
  figures.check("known values in files and output", [found, ...leaks].join("; "), leaks.length === 0);
}

await main();
