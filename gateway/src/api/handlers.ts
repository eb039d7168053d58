// One handler for every endpoint of the table: a missing or misspelt one does not compile.
import type { EndpointName } from "@onecli/sdk/contract";
import { agentHandlers } from "./agents.ts";
import { agentAccessHandlers } from "./agent-access.ts";
import { apiKeyHandlers } from "./api-keys.ts";
import { approvalHandlers, inspectDecision } from "./approvals.ts";
import { auditHandlers } from "./audit.ts";
import { containerConfigHandlers } from "./container-config.ts";
import type { ApiParts } from "./contract.ts";
import type { Handlers } from "./handler.ts";
import { operationHandlers } from "./operations.ts";
import { refuseUnsupported } from "./rule-validation.ts";
import { ruleHandlers } from "./rules.ts";
import { secretHandlers } from "./secrets.ts";

export function createHandlers(parts: ApiParts, stopping: AbortSignal): Handlers<EndpointName> {
  return {
    ...operationHandlers(parts),
    ...apiKeyHandlers(parts),
    ...agentHandlers(parts),
    ...agentAccessHandlers(parts),
    ...secretHandlers(parts),
    ...ruleHandlers(parts),
    ...containerConfigHandlers(parts),
    ...approvalHandlers(parts, stopping),
    ...auditHandlers(parts),
  };
}

/** Looks at a body before its schema does, for refusals that are not a 400. */
export const inspections: { readonly [Name in EndpointName]?: (body: unknown) => void } = {
  createRule: refuseUnsupported,
  updateRule: refuseUnsupported,
  decideApproval: inspectDecision,
};
