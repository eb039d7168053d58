// When a secret is to be renewed by itself: its period since the last change, and a growing pause after failures.
import type { Clock, Credential } from "../model.ts";
import { rotationLimits } from "./limits.ts";
import { sourceOf } from "./renew.ts";

export interface Schedule {
  /** Ids of the secrets whose time has come, the longest waiting first. */
  due(credentials: readonly Credential[]): string[];
  ended(id: string, ok: boolean): void;
}

interface Pause {
  readonly failures: number;
  /** `ms` since the epoch */
  readonly until: number;
}

export function createSchedule(clock: Clock): Schedule {
  // At most one entry a secret: those of deleted ones go at the next look.
  const pauses = new Map<string, Pause>();
  return {
    due(credentials) {
      const now = clock();
      const known = new Set(credentials.map(({ id }) => id));
      for (const id of pauses.keys()) if (!known.has(id)) pauses.delete(id);
      return credentials
        .map((credential) => ({ id: credential.id, at: dueAt(credential) }))
        .filter(({ id, at }) => at <= now && (pauses.get(id)?.until ?? 0) <= now)
        .sort((a, b) => a.at - b.at)
        .map(({ id }) => id);
    },
    ended(id, ok) {
      if (ok) pauses.delete(id);
      else pauses.set(id, longer(pauses.get(id), clock()));
    },
  };
}

/** `ms` since the epoch; Infinity = never by itself */
export function dueAt(credential: Credential): number {
  const every = credential.rotation?.rotateEvery;
  if (every === undefined || sourceOf(credential) === null) return Infinity;
  return (credential.rotatedAt ?? credential.createdAt) + periodMs(every);
}

const unitMs = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `30d`, `12h`, `5m`: the form that the contract lets in */
export function periodMs(text: string): number {
  const unit = text.at(-1);
  return unit === "m" || unit === "h" || unit === "d" ? Number(text.slice(0, -1)) * unitMs[unit] : Infinity;
}

function longer(pause: Pause | undefined, now: number): Pause {
  const failures = (pause?.failures ?? 0) + 1;
  const ms = Math.min(rotationLimits.backoffMs * 2 ** (failures - 1), rotationLimits.backoffMsMax);
  return { failures, until: now + ms };
}
