// Who calls the control plane: API keys, and the back-off of those who guess.
import { timingSafeEqual } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { hashToken } from "../agents/token.ts";
import { limits } from "../limits.ts";
import type { ApiKey, Clock } from "../model.ts";
import type { ApiKeyStore } from "../store/store.ts";
import { ApiError, tooMany } from "./problem.ts";

export interface Authenticator {
  /** @throws ApiError 401, held back when this source keeps failing; a valid key is never held back */
  authenticate(authorization: string | null, source: string): Promise<ApiKey>;
  /** Releases the answers that are held back. */
  close(): void;
}

export function createAuthenticator(parts: { apiKeys: ApiKeyStore; clock: Clock }): Authenticator {
  const backOff = createBackOff(parts.clock);
  return {
    async authenticate(authorization, source) {
      const presented = bearer(authorization);
      if (presented === null) throw unauthorized("this call needs an API key");
      const key = findKey(parts.apiKeys.list(), presented);
      if (key !== undefined) return key;
      await backOff.delay(source);
      throw unauthorized("the API key is not valid");
    },
    close: backOff.close,
  };
}

/** RFC 6750 section 2.1. Null = anonymous: an empty `Bearer` is what published clients send when they have no key. */
function bearer(authorization: string | null): string | null {
  const [scheme = "", ...rest] = (authorization ?? "").trim().split(/ +/);
  if (scheme === "") return null;
  // What another scheme carries is no key, whatever it says; it counts as a failure.
  if (scheme.toLowerCase() !== "bearer" || rest.length > 1) return NO_KEY;
  return rest[0] ?? null;
}

/** Has no hash that a key could have: keys start with `oc_`. */
const NO_KEY = "";

function findKey(keys: readonly ApiKey[], presented: string): ApiKey | undefined {
  const hash = Buffer.from(hashToken(presented), "hex");
  return keys.find((key) => timingSafeEqual(Buffer.from(key.hash, "hex"), hash));
}

/** RFC 9110 section 15.5.2: a 401 names a challenge. */
function unauthorized(error: string): ApiError {
  const hint =
    "send it as `Authorization: Bearer oc_…`; the first start of the gateway wrote one to ~/.onecli/credentials/api-key";
  return new ApiError(401, { error, code: "unauthorized", hint }, { "www-authenticate": "Bearer" });
}

interface Failures {
  readonly count: number;
  readonly lastAt: number;
}

function createBackOff(clock: Clock) {
  const sources = new Map<string, Failures>();
  const stopping = new AbortController();
  let held = 0;

  async function delay(source: string): Promise<void> {
    const ms = nextDelay(sources, source, clock());
    if (held >= limits.apiAuthDelaysMax) throw tooMany("too many failed attempts", Math.ceil(ms / 1000));
    held += 1;
    await sleep(ms, undefined, { signal: stopping.signal, ref: false }).catch(() => undefined);
    held -= 1;
  }
  return { delay, close: () => stopping.abort() };
}

/** Doubles with every failure of a source. The map keeps the sources that failed last. */
function nextDelay(sources: Map<string, Failures>, source: string, now: number): number {
  const before = sources.get(source);
  const isRecent = before !== undefined && now - before.lastAt < limits.apiAuthFailureForgottenMs;
  const count = isRecent ? before.count + 1 : 1;
  sources.delete(source);
  sources.set(source, { count, lastAt: now });
  const [oldest] = sources.keys();
  if (sources.size > limits.apiAuthFailuresSourcesMax && oldest !== undefined) sources.delete(oldest);
  return Math.min(
    limits.apiAuthFailureDelayMs * 2 ** Math.min(count - 1, 20),
    limits.apiAuthFailureDelayMsMax,
  );
}
