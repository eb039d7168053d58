// The steps of one rotation, in order: make a new value, test it, switch to it. Whatever fails, the old value stays.
import { isDeepStrictEqual } from "node:util";
import type { Clock, Credential } from "../model.ts";
import type { Dialer } from "../origin/contract.ts";
import type { Store } from "../store/store.ts";
import type { Vault } from "../vault/contract.ts";
import type { Secret } from "../vault/secret.ts";
import { runCommand } from "./command.ts";
import { RotationError, interruption } from "./error.ts";
import type { Journal, RotationRun } from "./journal.ts";
import { acceptValue } from "./new-value.ts";
import { planTrial, tryValue } from "./trial.ts";
import { askWebhook } from "./webhook.ts";

export interface RenewParts {
  readonly store: Store;
  readonly vault: Pick<Vault, "seal">;
  readonly dialer: Dialer;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly searchPath: string | undefined;
  readonly stepTimeoutMs: number;
  /** fires when the gateway stops */
  readonly stopped: AbortSignal;
}

/** How the secret is renewed; null = only by hand. */
export function sourceOf({ rotation }: Credential): "command" | "webhook" | null {
  if (rotation?.command !== undefined) return "command";
  return rotation?.webhook === undefined ? null : "webhook";
}

/** When the switch was made, `ms`. */
export async function renew(parts: RenewParts, run: RotationRun, credential: Credential): Promise<number> {
  const { journal, stopped } = parts;
  const trial = planTrial(credential);
  using value = acceptValue(credential, await makeValue(parts, credential));
  journal.valueMade(run);
  if (trial !== null) {
    await tryValue({ dialer: parts.dialer, signal: deadline(parts) }, trial, value);
    journal.tested(run);
  }
  if (stopped.aborted) throw interruption(stopped, "the rotation");
  return switchTo(parts, { run, credential, value });
}

function makeValue(parts: RenewParts, credential: Credential): Promise<string> {
  const { dialer, searchPath } = parts;
  const { command, webhook } = credential.rotation ?? {};
  const signal = deadline(parts);
  if (command !== undefined) {
    return runCommand({ argv: command, secretName: credential.name, searchPath, signal });
  }
  if (webhook !== undefined) return askWebhook({ dialer, url: webhook, secret: credential, signal });
  throw new RotationError("the secret has no command or webhook");
}

function deadline({ stopped, stepTimeoutMs }: RenewParts): AbortSignal {
  return AbortSignal.any([stopped, AbortSignal.timeout(stepTimeoutMs)]);
}

interface Switch {
  readonly run: RotationRun;
  /** as it was when the rotation began */
  readonly credential: Credential;
  readonly value: Secret;
}

function switchTo({ store, vault, clock, journal }: RenewParts, { run, credential, value }: Switch): number {
  const { id } = credential;
  const rotatedAt = clock();
  journal.rotated(run, () => {
    const current = unchanged(store.secrets.get(id), credential);
    store.secrets.update(id, { ...current, rotatedAt });
    store.secrets.setValue(id, vault.seal({ table: "secrets", rowId: id, purpose: "secret-value" }, value));
  });
  return rotatedAt;
}

/** The value was made and tested for the secret as it was: what an administrator did meanwhile comes first. */
function unchanged(current: Credential | undefined, before: Credential): Credential {
  if (current === undefined) throw new RotationError("the secret was deleted meanwhile");
  const { name, envName } = before;
  if (!isDeepStrictEqual({ ...current, name, envName }, before)) {
    throw new RotationError("the secret was changed meanwhile; the new value was not used");
  }
  return current;
}
