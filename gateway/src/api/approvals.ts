// Held calls that wait for a human. None can be held yet: polls wait in vain, decisions find nothing.
import { setTimeout as sleep } from "node:timers/promises";
import { approvalDecision } from "@onecli/sdk/contract";
import { limits } from "../limits.ts";
import type { ApiParts } from "./contract.ts";
import type { Handlers } from "./handler.ts";
import { ApiError, tooMany } from "./problem.ts";

type Names = "pendingApprovals" | "decideApproval";

export function approvalHandlers({ settings }: ApiParts, stopping: AbortSignal): Handlers<Names> {
  const hold = createHold(settings.pendingHoldMs ?? limits.apiPendingHoldMs, stopping);
  return {
    async pendingApprovals({ signal }) {
      await hold(signal);
      return { requests: [], timeoutSeconds: settings.approvalTimeoutSeconds };
    },
    decideApproval() {
      throw new ApiError(404, { error: "approval_not_found", code: "approval_not_found" });
    },
  };
}

/** Published clients treat 422 as final; a 400 they would retry. */
export function inspectDecision(body: unknown): void {
  if (approvalDecision.safeParse(body).success) return;
  const error = 'decision: must be "approve" or "deny"';
  throw new ApiError(422, { error, code: "invalid_decision", field: "decision" });
}

const RETRY_AFTER_SECONDS = 5;

/** Waits until the time is over, the client is gone or the gateway stops. */
function createHold(holdMs: number, stopping: AbortSignal): (client: AbortSignal) => Promise<void> {
  let held = 0;
  return async (client) => {
    if (held >= limits.apiPendingHoldsMax)
      throw tooMany("too many calls wait for approvals", RETRY_AFTER_SECONDS);
    held += 1;
    const signal = AbortSignal.any([client, stopping]);
    await sleep(holdMs, undefined, { signal }).catch(() => undefined);
    held -= 1;
  };
}
