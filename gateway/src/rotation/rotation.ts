// Renews the values of secrets: when asked, and by itself when a secret's period has passed.
import { randomUUID } from "node:crypto";
import type { RotationResult } from "../api/contract.ts";
import type { Audit } from "../audit/contract.ts";
import type { Clock, Credential } from "../model.ts";
import type { Dialer } from "../origin/contract.ts";
import type { Store } from "../store/store.ts";
import type { Vault } from "../vault/contract.ts";
import { RotationError } from "./error.ts";
import { createJournal, type RotationRun } from "./journal.ts";
import { rotationLimits } from "./limits.ts";
import { type RenewParts, renew, sourceOf } from "./renew.ts";
import { type Schedule, createSchedule } from "./schedule.ts";

export interface Rotation {
  /** Never rejects. One rotation of a secret at a time. */
  rotate(id: string, actor: string): Promise<RotationResult>;
  /** Reports what a kill cut off, then looks for due secrets regularly. */
  start(): void;
  /** Ends running commands and calls; to be called before the store is closed. */
  stop(): void;
}

export interface RotationParts {
  readonly store: Store;
  readonly vault: Pick<Vault, "seal">;
  readonly audit: Pick<Audit, "control">;
  /** the gateway's own, so that the address guard holds for webhooks and test calls too */
  readonly dialer: Dialer;
  readonly clock: Clock;
  /** After the switch is committed; nothing uses the old value from then on. */
  readonly changed: () => void;
  readonly log?: (message: string, detail: Readonly<Record<string, string>>) => void;
  /** PATH for commands; the system's usual directories when absent */
  readonly searchPath?: string;
  readonly stepTimeoutMs?: number;
  readonly checkIntervalMs?: number;
}

interface State extends RenewParts {
  readonly schedule: Schedule;
  readonly changed: () => void;
  readonly log: NonNullable<RotationParts["log"]>;
  /** ids of the secrets */
  readonly running: Set<string>;
  /** ids that are due and wait for room */
  queue: string[];
}

/** actor of the rotations that nobody asked for */
const GATEWAY = "gateway";

export function createRotation(parts: RotationParts): Rotation {
  const stop = new AbortController();
  const state = createState(parts, stop.signal);
  let timer: NodeJS.Timeout | undefined;
  return {
    rotate: (id, actor) => rotate(state, id, actor),
    start() {
      if (timer !== undefined || stop.signal.aborted) return;
      reportInterrupted(state);
      timer = setInterval(look, parts.checkIntervalMs ?? rotationLimits.checkIntervalMs, state).unref();
    },
    stop() {
      clearInterval(timer);
      stop.abort();
    },
  };
}

function createState(parts: RotationParts, stopped: AbortSignal): State {
  const { store, vault, audit, dialer, clock, changed } = parts;
  return {
    store,
    vault,
    dialer,
    clock,
    changed,
    stopped,
    journal: createJournal(store, audit),
    schedule: createSchedule(clock),
    log: parts.log ?? (() => undefined),
    searchPath: parts.searchPath,
    stepTimeoutMs: parts.stepTimeoutMs ?? rotationLimits.stepTimeoutMs,
    running: new Set(),
    queue: [],
  };
}

async function rotate(state: State, id: string, actor: string): Promise<RotationResult> {
  const admitted = admit(state, id);
  if (typeof admitted === "string") return { ok: false, message: admitted };
  const { running, schedule } = state;
  running.add(id);
  const result = await attempt(state, admitted, actor);
  running.delete(id);
  if (result.ok) announce(state, admitted);
  if (result.ok || actor === GATEWAY) schedule.ended(id, result.ok);
  startQueued(state);
  return result;
}

/** The switch is committed: a fault from here on must not be told as a rotation that failed. */
function announce({ changed, log }: State, { name }: Credential): void {
  try {
    changed();
  } catch (error) {
    log("a rotated value could not be loaded", { secret: name, kind: kindOf(error) });
  }
}

/** The secret, or why it can't be rotated now. */
function admit({ store, running, stopped }: State, id: string): Credential | string {
  if (stopped.aborted) return "the gateway is stopping";
  if (running.has(id)) return "a rotation of this secret is running already";
  if (running.size >= rotationLimits.runningMax) {
    return "too many secrets are being rotated; try again in a minute";
  }
  const credential = find(store, id);
  if (typeof credential === "string" || sourceOf(credential) !== null) return credential;
  return `the secret "${credential.name}" has no command or webhook: set one with \`onecli secrets update --rotate-command …\``;
}

function find({ secrets }: Store, id: string): Credential | string {
  try {
    return secrets.get(id) ?? "there is no such secret";
  } catch {
    return "the secret can't be read";
  }
}

async function attempt(state: State, credential: Credential, actor: string): Promise<RotationResult> {
  const { id: secretId, name } = credential;
  const run: RotationRun = { id: randomUUID(), secretId, name, actor };
  try {
    state.journal.started(run, sourceOf(credential) ?? "command");
    const rotatedAt = await renew(state, run, credential);
    return { ok: true, rotatedAt };
  } catch (error) {
    return failed(state, run, error);
  }
}

function failed(state: State, run: RotationRun, error: unknown): RotationResult {
  const message = error instanceof RotationError ? error.message : unexpected(error);
  const detail = { secret: run.name, reason: message };
  state.log("a secret could not be rotated", detail);
  try {
    state.journal.failed(run, message);
  } catch (cause) {
    // It stays open in the journal, and the next start reports it.
    state.log("a failed rotation could not be recorded", { ...detail, kind: kindOf(cause) });
  }
  return { ok: false, message };
}

/** Messages of errors that are not ours may quote anything. */
function unexpected(error: unknown): string {
  return `the rotation failed unexpectedly (${kindOf(error)}); the old value stays`;
}

function kindOf(error: unknown): string {
  return error instanceof Error ? error.name : "unknown";
}

function reportInterrupted({ journal, log }: State): void {
  try {
    for (const { name } of journal.reportInterrupted()) {
      log("a rotation was cut off by the end of the gateway; the old value is in use", { secret: name });
    }
  } catch (error) {
    log("rotations that were cut off could not be reported", { kind: kindOf(error) });
  }
}

function look(state: State): void {
  try {
    state.queue = state.schedule.due(state.store.secrets.list());
    startQueued(state);
  } catch (error) {
    state.log("due secrets could not be looked for", { kind: kindOf(error) });
  }
}

function startQueued(state: State): void {
  const { running, queue, stopped } = state;
  while (!stopped.aborted && running.size < rotationLimits.runningMax) {
    const id = queue.shift();
    if (id === undefined) return;
    if (!running.has(id)) void rotate(state, id, GATEWAY);
  }
}
