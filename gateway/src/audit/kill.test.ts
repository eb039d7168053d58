import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { connectionOf, openStore } from "../store/open.ts";
import { aRule, temporaryDirectory } from "../store/testing.ts";
import { openAudit } from "./open.ts";
import { anchorKey, openResult, storeLimits } from "./testing.ts";

const ROUNDS = 4;
const LIMIT = 1_000_000;

/** Opens exchanges as fast as it can and prints the id of each that it was told is committed. */
function writer(dataDir: string, round: number) {
  const program = `
    import { openStore } from ${JSON.stringify(path.join(import.meta.dirname, "../store/open.ts"))};
    import { openAudit } from ${JSON.stringify(path.join(import.meta.dirname, "open.ts"))};
    import { writeSync } from "node:fs";
    const store = await openStore({ dataDir: ${JSON.stringify(dataDir)} });
    const vault = { derive: () => Buffer.alloc(32, 7) };
    const audit = openAudit({ store, vault, clock: Date.now, log: console.error });
    const limits = store.rules.list();
    let n = 0;
    const next = () => {
      const exchangeId = "${round}-" + n++;
      const opening = { exchangeId, agentId: "agent-1", agent: "agent-one", tokenId: "t", method: "GET",
        authority: "a.test:443", path: "/", scheme: "https", rule: null, secrets: [], limits };
      audit.open(opening, (result) => {
        if (result.ok) writeSync(1, exchangeId + "\\n");
        audit.close({ exchangeId, status: 200, outcome: "complete", error: null, requestBytes: 0, responseBytes: 0, headersMs: 1, totalMs: 1 });
        setImmediate(next);
      });
    };
    for (let k = 0; k < 17; k++) next();`;
  const flags = ["--conditions=source", "--input-type=module-typescript", "-e", program];
  return spawn(process.execPath, flags, { stdio: ["ignore", "pipe", "inherit"] });
}

describe("a gateway that is killed under load", () => {
  test("has every acknowledged opening on record, counted, in a chain that verifies", async () => {
    const dataDir = temporaryDirectory();
    const rule = aRule({ rateLimit: { count: LIMIT, window: "day" } });
    const first = await openStore({ dataDir });
    storeLimits(first, rule);
    first.close();
    const acknowledged = new Set<string>();
    for (let round = 0; round < ROUNDS; round++) {
      const child = writer(dataDir, round);
      const lines = createInterface({ input: child.stdout });
      lines.on("line", (line) => acknowledged.add(line));
      await once(lines, "line");
      await sleep(50 + Math.random() * 250);
      child.kill("SIGKILL");
      await Promise.all([once(child, "exit"), once(lines, "close")]);
    }
    const store = await openStore({ dataDir });
    const logged: string[] = [];
    const log = (message: string) => void logged.push(message);
    const audit = openAudit({ store, vault: { derive: () => anchorKey }, clock: Date.now, log });
    const { db } = connectionOf(store);
    const ids = db.prepare<[], string>(
      "SELECT body ->> '$.exchangeId' FROM audit_records WHERE body ->> '$.type' = 'open'",
    );
    const recorded = new Set(ids.pluck().all());
    expect(acknowledged.size).toBeGreaterThan(ROUNDS * 17);
    expect([...acknowledged].filter((id) => !recorded.has(id))).toEqual([]);
    const sum = db.prepare("SELECT sum(count) FROM rate_counters").pluck().get();
    // Around midnight the counter of the day before is gone.
    if (new Date().getUTCHours() > 0) expect(sum).toBe(recorded.size);
    expect(logged).toEqual([]);
    expect(await audit.verify()).toMatchObject({ valid: true, problem: null });
    expect(await openResult(audit, { limits: [rule] })).toEqual({ ok: true });
    audit.stop();
    store.close();
  });
});
