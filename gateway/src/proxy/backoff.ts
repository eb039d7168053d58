// Who keeps presenting wrong tokens waits longer for each 407. Failures alone are held back: agents behind one NAT
// address or on the unix socket share a source with whoever guesses there.
import { limits } from "../limits.ts";
import type { Clock } from "../model.ts";

export interface Backoff {
  /** Counts a failure of this source and calls `answer`, now or later. */
  fail(source: string, answer: () => void): void;
  /** answers that are held back now */
  readonly held: number;
  /** sources that are remembered */
  readonly sources: number;
}

interface Failures {
  readonly count: number;
  readonly lastAt: number;
}

export function createBackoff(clock: Clock): Backoff {
  const sources = new Map<string, Failures>();
  let held = 0;
  return {
    fail(source, answer) {
      const ms = delayOf(remember(sources, source, clock()));
      // Holding costs a connection and a timer: beyond the bound the answer is as plain a no as it is later.
      if (ms === 0 || held >= limits.proxyAuthDelaysMax) return answer();
      held += 1;
      setTimeout(() => {
        held -= 1;
        answer();
      }, ms).unref();
    },
    get held() {
      return held;
    },
    get sources() {
      return sources.size;
    },
  };
}

/** How often the source failed lately. The map keeps the sources that failed last. */
function remember(sources: Map<string, Failures>, source: string, now: number): number {
  const before = sources.get(source);
  const isRecent = before !== undefined && now - before.lastAt < limits.proxyAuthFailureForgottenMs;
  const count = isRecent ? before.count + 1 : 1;
  sources.delete(source);
  sources.set(source, { count, lastAt: now });
  if (sources.size > limits.proxyAuthFailuresSourcesMax) {
    const [oldest = source] = sources.keys();
    sources.delete(oldest);
  }
  return count;
}

/** `ms`; a few mistakes are free, then it doubles. */
function delayOf(failures: number): number {
  const beyond = failures - limits.proxyAuthFailuresFree;
  if (beyond <= 0) return 0;
  return Math.min(
    limits.proxyAuthFailureDelayMs * 2 ** Math.min(beyond - 1, 20),
    limits.proxyAuthFailureDelayMsMax,
  );
}
