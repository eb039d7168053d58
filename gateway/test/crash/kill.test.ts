// The promise behind the audit: no credential is used without a row, whatever ends the process and whenever.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openLedger } from "./ledger.ts";
import { missing, openStage, type Stage } from "./stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage?.close());

const KILLS = 4;
const CONNECTIONS = 12;

describe("a gateway process that is killed under load", () => {
  test("opens again, its chain verifies, and every use of the credential is on record", async () => {
    const { gateway, witness } = stage;
    const ledger = openLedger(gateway);
    const answered = new Set<string>();
    for (let round = 0; round < KILLS; round += 1) {
      const load = stage.load({ name: `kill-${round}`, connections: CONNECTIONS });
      await expect.poll(() => load.answered.size, { timeout: 10_000 }).toBeGreaterThan(0);
      await sleep(50 + Math.random() * 400);
      expect(await gateway.kill("SIGKILL")).toEqual({ code: null, signal: "SIGKILL" });
      await load.stop();
      for (const id of load.answered) answered.add(id);
      await gateway.restart();
      await ledger.read();
      expect(await ledger.verify()).toMatchObject({ valid: true, problem: null });
      expect(missing(witness.credentialed, ledger.opened)).toEqual([]);
    }
    expect(answered.size).toBeGreaterThan(KILLS * CONNECTIONS);
    expect(witness.credentialed.size).toBeGreaterThanOrEqual(answered.size);
    expect(witness.bare).toEqual(new Set());
    console.log(`${KILLS} kills: ${witness.credentialed.size} uses of the credential, 0 without a row`);
  });

  test("goes on with the same agent, secret and certificate authority", async () => {
    const load = stage.load({ name: "after", connections: 2, requests: 20 });
    await load.done;
    expect(load.failed).toBe(0);
    expect(missing(load.answered, stage.witness.credentialed)).toEqual([]);
  });
});

describe("a gateway process that is asked to stop under load", () => {
  test("lets running calls end, writes every closing and exits with 0", async () => {
    const { gateway, witness } = stage;
    const slow = stage.load({ name: "slow", connections: 5, kind: "slow", requests: 5 });
    const quick = stage.load({ name: "quick", connections: CONNECTIONS });
    await expect.poll(() => witness.halfway.size, { timeout: 10_000 }).toBe(5);
    expect(slow.answered.size).toBe(0);
    expect(await gateway.kill("SIGTERM")).toEqual({ code: 0, signal: null });
    await Promise.all([slow.stop(), quick.stop()]);
    expect(slow).toMatchObject({ failed: 0, sent: 5 });
    await gateway.restart();
    const ledger = openLedger(gateway);
    await ledger.read();
    expect([...slow.answered].map((id) => ledger.outcomes.get(id))).toEqual(Array(5).fill("complete"));
    const stopped = [...ledger.outcomes.keys()].filter((id) => id.startsWith("quick-"));
    expect(missing(quick.answered, new Set(stopped))).toEqual([]);
    const open = [...ledger.opened].filter((id) => /^(quick|slow)-/.test(id) && !ledger.outcomes.has(id));
    expect(open).toEqual([]);
    expect(missing(witness.credentialed, ledger.opened)).toEqual([]);
    expect(await ledger.verify()).toMatchObject({ valid: true });
  });
});

test("nothing that the processes printed holds the credential or the admin key", () => {
  expect(stage.gateway.output).toContain("OneCLI gateway");
  for (const value of [...stage.values, stage.gateway.apiKey])
    expect(stage.gateway.output).not.toContain(value);
});
