import { z } from "zod";
import * as agents from "./agents.ts";
import { id, type Role, success } from "./common.ts";
import { containerConfig } from "./container-config.ts";
import * as operations from "./operations.ts";
import * as rules from "./rules.ts";
import * as secrets from "./secrets.ts";

/** One call of the API. The gateway serves this table, the clients and the OpenAPI document are made from it. */
export interface Endpoint {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** below the prefix, `:name` for a parameter */
  readonly path: string;
  /** `both` = also under /api, for published clients; `v1` = ours alone */
  readonly prefixes: "both" | "v1";
  /** who may call it; null = anyone */
  readonly roles: readonly Role[] | null;
  readonly summary: string;
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  readonly status: number;
  /** absent = no body, or not JSON */
  readonly response?: z.ZodType;
  /** when not JSON */
  readonly responseType?: string;
}

const everyone: readonly Role[] = ["admin", "runner", "read"];
const operators: readonly Role[] = ["admin", "runner"];
const administrators: readonly Role[] = ["admin"];

type Options = Partial<Omit<Endpoint, "method" | "path" | "roles" | "summary">>;
type Call = `${Endpoint["method"]} /${string}`;
type Line<C extends Call> = [call: C, roles: readonly Role[] | null, summary: string];
type Split<C extends Call> = C extends `${infer Method} ${infer Path}`
  ? { method: Method; path: Path }
  : never;
type Defaults = { readonly prefixes: "both"; readonly status: 200 };

// The spread of a generic is typed as an intersection, where `200 & 201` would make the whole entry `never`.
type Entry<C extends Call, O> = Readonly<
  Split<C> & { roles: readonly Role[] | null; summary: string } & Omit<Defaults, keyof O> & O
>;

function endpoint<const C extends Call, const O extends Options>(line: Line<C>, options: O): Entry<C, O> {
  const [call, roles, summary] = line;
  const [method, path] = call.split(" ");
  return { prefixes: "both", status: 200, ...options, method, path, roles, summary } as unknown as Entry<
    C,
    O
  >;
}

const exclude = z.object({
  exclude: z.string().max(10_000).optional(),
  agent: z.string().max(1000).optional(),
});
const agentQuery = z.object({ agent: z.string().max(64).optional() });

export const endpoints = {
  health: endpoint(["GET /health", null, "The gateway is up"], { response: operations.health }),
  user: endpoint(["GET /user", everyone, "Who the key belongs to"], { response: operations.user }),
  apiKey: endpoint(["GET /user/api-key", everyone, "The key in use, masked"], {
    response: operations.apiKey,
  }),
  regenerateApiKey: endpoint(
    ["POST /user/api-key/regenerate", administrators, "Replace the key in use; the new one is shown once"],
    { response: operations.apiKey },
  ),

  listAgents: endpoint(["GET /agents", everyone, "All agents"], { response: z.array(agents.agent) }),
  createAgent: endpoint(["POST /agents", operators, "Create an agent"], {
    body: agents.createAgent,
    status: 201,
    response: agents.createdAgent,
  }),
  defaultAgent: endpoint(["GET /agents/default", everyone, "The default agent"], { response: agents.agent }),
  updateAgent: endpoint(["PATCH /agents/:id", operators, "Rename an agent or change its defaults"], {
    body: agents.updateAgent,
    response: success,
  }),
  deleteAgent: endpoint(["DELETE /agents/:id", operators, "Delete an agent; its connections close"], {
    status: 204,
  }),
  regenerateToken: endpoint(
    ["POST /agents/:id/regenerate-token", operators, "New access token; the old one's connections close"],
    { response: agents.accessToken },
  ),
  setDefaultAgent: endpoint(["POST /agents/:id/set-default", administrators, "Make it the default agent"], {
    response: success,
  }),
  createToken: endpoint(["POST /agents/:id/tokens", operators, "A token for one run, with labels"], {
    prefixes: "v1",
    body: agents.createToken,
    status: 201,
    response: agents.createdToken,
  }),
  deleteToken: endpoint(["DELETE /agents/:id/tokens/:tokenId", operators, "Revoke a run's token"], {
    prefixes: "v1",
    status: 204,
  }),
  agentSecrets: endpoint(["GET /agents/:id/secrets", everyone, "Ids of the secrets assigned to an agent"], {
    response: agents.secretIds,
  }),
  setAgentSecrets: endpoint(["PUT /agents/:id/secrets", administrators, "Assign secrets to an agent"], {
    body: agents.setSecrets,
    response: success,
  }),
  setSecretMode: endpoint(
    ["PATCH /agents/:id/secret-mode", administrators, "All secrets, or the assigned ones"],
    {
      body: agents.setSecretMode,
      response: success,
    },
  ),

  listSecrets: endpoint(["GET /secrets", everyone, "All secrets, never a value"], {
    response: z.array(secrets.secret),
  }),
  createSecret: endpoint(["POST /secrets", administrators, "Store a secret"], {
    body: secrets.createSecret,
    status: 201,
    response: secrets.createdSecret,
  }),
  updateSecret: endpoint(["PATCH /secrets/:id", administrators, "Change a secret"], {
    body: secrets.updateSecret,
    response: success,
  }),
  deleteSecret: endpoint(["DELETE /secrets/:id", administrators, "Delete a secret"], { status: 204 }),
  rotateSecret: endpoint(
    ["POST /secrets/:id/rotate", administrators, "Get, test and switch to a new value"],
    {
      prefixes: "v1",
      response: secrets.rotatedSecret,
    },
  ),

  listRules: endpoint(["GET /rules", everyone, "All rules"], { response: z.array(rules.rule) }),
  createRule: endpoint(["POST /rules", administrators, "Create a rule"], {
    body: rules.createRule,
    status: 201,
    response: rules.rule,
  }),
  getRule: endpoint(["GET /rules/:id", everyone, "One rule"], { response: rules.rule }),
  updateRule: endpoint(["PATCH /rules/:id", administrators, "Change a rule"], {
    body: rules.updateRule,
    response: rules.updatedRule,
  }),
  deleteRule: endpoint(["DELETE /rules/:id", administrators, "Delete a rule"], { status: 204 }),

  containerConfig: endpoint(
    ["GET /container-config", operators, "Environment and CA for an agent's container"],
    {
      query: agentQuery,
      response: containerConfig,
    },
  ),
  gatewayUrl: endpoint(["GET /gateway-url", everyone, "Where approvals are polled"], {
    response: operations.gatewayUrl,
  }),
  pendingApprovals: endpoint(["GET /approvals/pending", operators, "Held calls; waits up to 30 s for one"], {
    query: exclude,
    response: operations.pendingApprovals,
  }),
  decideApproval: endpoint(["POST /approvals/:id/decision", operators, "Approve or deny a held call"], {
    body: operations.approvalDecision,
    response: success,
  }),
  gatewayCa: endpoint(["GET /gateway/ca", everyone, "The CA certificate"], {
    responseType: "application/x-pem-file",
  }),
  gatewaySkill: endpoint(["GET /skill/gateway", everyone, "How an agent behaves behind the gateway"], {
    query: z.object({ agent_framework: z.string().max(64).optional() }),
    responseType: "text/markdown",
  }),
  counts: endpoint(["GET /counts", everyone, "How many of each"], { response: operations.counts }),
  apps: endpoint(["GET /apps", everyone, "App connections: none"], { response: z.array(z.never()) }),
  projects: endpoint(["GET /projects", everyone, "Projects: none"], { response: z.array(z.never()) }),
  migrateExport: endpoint(["POST /migrate/export", administrators, "Not offered"], { status: 501 }),

  listAudit: endpoint(["GET /audit", everyone, "Audit records, newest first"], {
    prefixes: "v1",
    query: operations.auditQuery,
    response: operations.auditPage,
  }),
  verifyAudit: endpoint(["POST /audit/verify", everyone, "Compute the hash chain again"], {
    prefixes: "v1",
    response: operations.auditVerification,
  }),
  listApiKeys: endpoint(["GET /api-keys", administrators, "Admin keys, masked"], {
    prefixes: "v1",
    response: z.array(operations.apiKeyInfo),
  }),
  createApiKey: endpoint(["POST /api-keys", administrators, "A further key with a role"], {
    prefixes: "v1",
    body: operations.createApiKey,
    status: 201,
    response: operations.createdApiKey,
  }),
  deleteApiKey: endpoint(["DELETE /api-keys/:id", administrators, "Revoke a key"], {
    prefixes: "v1",
    status: 204,
  }),
  rotateVault: endpoint(["POST /vault/rotate", administrators, "New data key; re-wrap and re-encrypt"], {
    prefixes: "v1",
    response: operations.vaultRotation,
  }),
} as const satisfies Record<string, Endpoint>;

export type EndpointName = keyof typeof endpoints;
export { id as resourceId };
