// Reading the audit. A `runner` key sees the calls of one of its own agents at a time.
import type { AuditVerification } from "@onecli/sdk/contract";
import type { ApiKey } from "../model.ts";
import type { ApiParts, AuditQuery } from "./contract.ts";
import type { Handlers } from "./handler.ts";
import { forbidden, notFound } from "./problem.ts";
import { canSee } from "./visibility.ts";

export function auditHandlers(parts: ApiParts): Handlers<"listAudit" | "verifyAudit"> {
  let running: Promise<AuditVerification> | undefined;
  return {
    listAudit: ({ key, query }) =>
      parts.listAudit(key.role === "runner" ? ownCalls(parts, key, query) : query),
    /** It reads every row: whoever asks meanwhile gets the same answer. */
    verifyAudit: () => (running ??= parts.verifyAudit().finally(() => (running = undefined))),
  };
}

/** By the agent's id: an identifier may have the form of another agent's id, and is free again after a deletion. */
function ownCalls({ store }: ApiParts, key: ApiKey, query: AuditQuery): AuditQuery {
  if (query.agent === undefined) throw forbidden("agent: a runner key must name one of its own agents");
  const found = store.agents.byIdentifier(query.agent);
  if (found === undefined || !canSee(key, found)) throw notFound("agent");
  return { ...query, agent: found.id };
}
