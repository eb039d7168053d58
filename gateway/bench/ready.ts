// Time from starting Node to a gateway that answers; its database exists and its compile cache is warm.
import { randomBytes } from "node:crypto";
import type { Bed } from "./bed.ts";
import { startChild } from "./child.ts";
import { GATEWAY_FILE, gatewayEnvironment, PRODUCT_FLAGS, READY } from "./gateway.ts";

const READY_TIMEOUT_MS = 30_000;

/** @returns ms, one figure a start; the first start, which makes the database, is not among them */
export async function measureReady(bed: Bed, starts: number): Promise<number[]> {
  const env = gatewayEnvironment(bed.gatewayStart("ready"), `oc_${randomBytes(32).toString("hex")}`);
  const figures: number[] = [];
  for (let n = 0; n <= starts; n += 1) {
    const figure = await oneStart(env);
    if (n > 0) figures.push(figure);
  }
  return figures;
}

async function oneStart(env: Record<string, string>): Promise<number> {
  const startedAt = performance.now();
  const child = startChild({ name: "gateway", file: GATEWAY_FILE, flags: PRODUCT_FLAGS, env });
  const [, port] = await child.waitForOutput(READY, READY_TIMEOUT_MS);
  const { ok } = await fetch(`http://127.0.0.1:${port}/v1/health`);
  const ms = performance.now() - startedAt;
  await child.stop();
  if (!ok) throw new Error("the gateway started but is not healthy");
  return ms;
}
