// `npm run attack`: every row against our gateway or a proxy of your own; a table, and exit code 1 when something failed.
import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { testAuthority } from "../support/test-authority.ts";
import { startForeignWorld } from "./foreign-world.ts";
import { type Parsed, parseOptions, USAGE } from "./options.ts";
import { startOwnWorld } from "./own-world.ts";
import { allRows } from "./rows/index.ts";
import { jsonOf, lineOf, type Result, summaryOf } from "./table.ts";

const options = parseOptions(process.argv.slice(2));
if (options.help) process.stdout.write(USAGE);
else process.exitCode = await attack(options);

async function attack(options: Parsed): Promise<number> {
  const { proxy, ports, secret, only, json, originsCaFile, waitSeconds } = options;
  if (originsCaFile !== null) writeFileSync(originsCaFile, testAuthority().ca);
  await sleep(waitSeconds * 1_000);
  const world = proxy === null ? await startOwnWorld() : await startForeignWorld({ proxy, ports, secret });
  const results: Result[] = [];
  try {
    for (const row of allRows) {
      if (only.length > 0 && !only.some((start) => row.id.startsWith(start))) continue;
      const result = { row, verdict: await row.run(world) };
      results.push(result);
      if (!json) process.stdout.write(`${lineOf(result)}\n`);
    }
  } finally {
    await world.stop();
  }
  process.stdout.write(json ? `${jsonOf(results)}\n` : `\n${summaryOf(results)}\n`);
  return results.some(({ verdict }) => verdict.outcome === "failed") ? 1 : 0;
}
