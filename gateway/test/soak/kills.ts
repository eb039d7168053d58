// kill -9 at random moments under load, again and again on the same data.
import { setTimeout as sleep } from "node:timers/promises";
import type { Ledger } from "../crash/ledger.ts";
import { missing, type Stage } from "../crash/stage.ts";
import type { Figures } from "./figures.ts";

const CONNECTIONS = 16;
const ALIVE_MS = { least: 30, most: 500 };

export async function soakKills(
  stage: Stage,
  ledger: Ledger,
  rounds: number,
  figures: Figures,
): Promise<void> {
  const startedAt = performance.now();
  let verified = 0;
  for (let round = 0; round < rounds; round += 1) {
    await killOnce(stage, round);
    await stage.gateway.restart();
    if ((await ledger.verify()).valid) verified += 1;
  }
  await ledger.read();
  const { credentialed, bare } = stage.witness;
  const lost = missing(credentialed, ledger.opened);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  figures.note("kill -9 rounds", `${rounds} in ${seconds} s, ${ledger.rows} audit rows`);
  figures.check("chain verified after each kill", `${verified} of ${rounds}`, verified === rounds);
  figures.check(
    "uses of the credential without a row",
    `${lost.length} of ${credentialed.size}`,
    lost.length === 0,
  );
  figures.check("calls that arrived without the credential", String(bare.size), bare.size === 0);
}

async function killOnce(stage: Stage, round: number): Promise<void> {
  const calls = stage.load({ name: `kill-${round}`, connections: CONNECTIONS });
  while (calls.answered.size === 0) await sleep(2);
  await sleep(ALIVE_MS.least + Math.random() * (ALIVE_MS.most - ALIVE_MS.least));
  await stage.gateway.kill("SIGKILL");
  await calls.stop();
}
