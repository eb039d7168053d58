// The test call: does the origin accept the new value, placed as an agent's call would have it?
import { randomBytes } from "node:crypto";
import type { Outgoing } from "../inject/contract.ts";
import { createInjector } from "../inject/inject.ts";
import type { Credential } from "../model.ts";
import type { Dialer } from "../origin/contract.ts";
import { credentialIndex, credentialsFor } from "../policy/credential-index.ts";
import { matchesEvery } from "../policy/match-path.ts";
import { Secret } from "../vault/secret.ts";
import { RotationError } from "./error.ts";
import { type Destination, callHttps, parseDestination } from "./https-call.ts";

export interface Trial {
  readonly credential: Credential;
  readonly destination: Destination;
}

/**
 * null = the secret has no test URL. Done before the new value is made, so that none is made in vain.
 * @throws RotationError when the value would go where the secret does not belong, or not go at all
 */
export function planTrial(credential: Credential): Trial | null {
  const testUrl = credential.rotation?.testUrl;
  if (testUrl === undefined) return null;
  const trial = { credential, destination: parseDestination(testUrl, "the test call") };
  if (!belongs(trial)) {
    throw new RotationError(
      "the test URL is outside the host and path of the secret: the new value must not go elsewhere",
    );
  }
  using anyValue = Secret.of("value");
  requestWith(trial, anyValue);
  return trial;
}

export interface TrialParts {
  readonly dialer: Dialer;
  readonly signal: AbortSignal;
}

/** @throws RotationError unless the answer is 2xx */
export async function tryValue(parts: TrialParts, trial: Trial, value: Secret): Promise<void> {
  const { path, query, fields } = requestWith(trial, value);
  const { authority } = trial.destination;
  const call = { ...parts, authority, method: "GET", path: path + query, fields, body: null } as const;
  const status = await callHttps(call, async (answer) => answer.status);
  if (status < 200 || status > 299) {
    throw new RotationError(`the test call with the new value was answered ${status}: the old one stays`);
  }
}

/** By the rules of placement. Methods are not asked for: they bound what agents may do, not where the value may go. */
function belongs({ credential, destination }: Trial): boolean {
  const { authority, target } = destination;
  const found = credentialsFor(credentialIndex([credential]), authority);
  return found.some(({ path }) => matchesEvery(path, target.readings));
}

/** stands for an agent where the injector asks for one */
const CALLER = "rotation";

function requestWith({ credential, destination }: Trial, value: Secret): Outgoing {
  const injector = createInjector({ plaintext: () => value, placeholderKey: randomBytes(32) });
  const fields = ["accept", "*/*", "user-agent", "onecli-gateway"];
  // The API of this vendor refuses calls without a version.
  if (credential.type === "anthropic") fields.push("anthropic-version", "2023-06-01");
  if (replacesBearer(credential)) {
    fields.push("authorization", `Bearer ${injector.placeholder(CALLER, credential)}`);
  }
  const { path, query } = destination.target;
  const outgoing: Outgoing = { method: "GET", path, query, fields, body: null };
  const outcome = injector.inject(CALLER, [credential], outgoing);
  if (outcome.ok && outcome.placed.length > 0) return outgoing;
  throw new RotationError("the test call can't carry the new value: its placement needs more than a GET");
}

/** Placements that only exchange what the client sent. */
function replacesBearer({ authMode, injections }: Credential): boolean {
  if (authMode === "oauth") return true;
  return (
    injections.length > 0 &&
    injections.every((one) => "placeholder" in one) &&
    injections.some((one) => one.placeholder.includes("header"))
  );
}
