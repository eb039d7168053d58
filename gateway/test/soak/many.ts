// Much at once: idle tunnels and host names beyond all use. Others keep working, bounds hold, and what was taken comes back.
import { readdirSync } from "node:fs";
import type net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { HOST, type Stage } from "../crash/stage.ts";
import { limits } from "../../src/limits.ts";
import { openSecureTunnel, openTunnel, parseAnswer, tunnelExchange, type Via } from "../support/client.ts";
import type { Figures } from "./figures.ts";

export interface ManyPlan {
  readonly idleTunnels: number;
  readonly hostNames: number;
}

const AT_ONCE = 20;
const RETURN_MS_MAX = 15_000;
const HANDLES_LEFT_MAX = 20;

export async function soakMany(stage: Stage, plan: ManyPlan, figures: Figures): Promise<void> {
  const via: Via = { port: stage.gateway.port, token: stage.token };
  await soakTunnels(stage, via, plan.idleTunnels, figures);
  await soakNames(stage, via, plan.hostNames, figures);
}

async function soakTunnels(stage: Stage, via: Via, count: number, figures: Figures): Promise<void> {
  const before = handles(stage);
  const sockets: net.Socket[] = [];
  await repeat(count, async () => {
    const { socket, answer } = await openTunnel(via, `${HOST}:443`);
    if (answer.startsWith("HTTP/1.1 200")) sockets.push(socket);
  });
  figures.check("idle tunnels open at once", `${sockets.length} of ${count}`, sockets.length === count);
  figures.check("a call beside them", String(await callStatus(via)), (await callStatus(via)) === 200);
  for (const socket of sockets) socket.destroy();
  const left = await settle(() => handles(stage) - before, HANDLES_LEFT_MAX);
  figures.check("handles left when they are closed", `${left} more than before`, left <= HANDLES_LEFT_MAX);
}

/** None of the names resolves: each costs a tunnel, a certificate and a handshake. */
async function soakNames(stage: Stage, via: Via, count: number, figures: Figures): Promise<void> {
  let next = 0;
  await repeat(count, async () => {
    next += 1;
    const host = `host-${next}.many.test`;
    const socket = await openSecureTunnel(via, `${host}:443`);
    socket.destroy();
  });
  const metrics = await stage.gateway.api<string>("GET", "/metrics");
  const leaves = Number(/^onecli_leaf_certificates_cached (\d+)/m.exec(metrics)?.[1]);
  const found = `${leaves} certificates in the cache after ${count} names`;
  figures.check("host names", found, leaves > 0 && leaves <= limits.leafCacheEntriesMax);
  figures.check("a call after them", String(await callStatus(via)), (await callStatus(via)) === 200);
}

async function callStatus(via: Via): Promise<number> {
  const request = `GET /k/many HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`;
  return parseAnswer(await tunnelExchange(via, `${HOST}:443`, request)).status;
}

async function repeat(count: number, work: () => Promise<void>): Promise<void> {
  let left = count;
  const worker = async () => {
    while (left > 0) {
      left -= 1;
      await work();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

async function settle(read: () => number, enough: number): Promise<number> {
  const until = performance.now() + RETURN_MS_MAX;
  while (read() > enough && performance.now() < until) await sleep(200);
  return read();
}

function handles({ gateway }: Stage): number {
  return readdirSync(`/proc/${gateway.pid}/fd`).length;
}
