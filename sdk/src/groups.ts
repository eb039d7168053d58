// The contract's calls under the names people think in: client.agents.create(…), client.secrets.rotate(…).
import type { CallArguments, CallInput, CallOutput } from "./call.ts";
import type { EndpointName } from "./contract/index.ts";

export type Call = <N extends EndpointName>(name: N, ...rest: CallArguments<N>) => Promise<CallOutput<N>>;
type Body<N extends EndpointName> = CallInput<N> extends { body: infer B } ? B : never;
type Query<N extends EndpointName> = CallInput<N> extends { query?: infer Q } ? Q : never;

export function agentCalls(call: Call) {
  return {
    list: () => call("listAgents"),
    getDefault: () => call("defaultAgent"),
    create: (body: Body<"createAgent">) => call("createAgent", { body }),
    update: (id: string, body: Body<"updateAgent">) => call("updateAgent", { params: { id }, body }),
    rename: (id: string, name: string) => call("updateAgent", { params: { id }, body: { name } }),
    delete: (id: string) => call("deleteAgent", { params: { id } }),
    regenerateToken: (id: string) => call("regenerateToken", { params: { id } }),
    setDefault: (id: string) => call("setDefaultAgent", { params: { id } }),
    createToken: (id: string, body: Body<"createToken">) => call("createToken", { params: { id }, body }),
    deleteToken: (id: string, tokenId: string) => call("deleteToken", { params: { id, tokenId } }),
    secrets: (id: string) => call("agentSecrets", { params: { id } }),
    setSecrets: (id: string, secretIds: string[]) =>
      call("setAgentSecrets", { params: { id }, body: { secretIds } }),
    setSecretMode: (id: string, mode: Body<"setSecretMode">["mode"]) =>
      call("setSecretMode", { params: { id }, body: { mode } }),
  };
}

export function secretCalls(call: Call) {
  return {
    list: () => call("listSecrets"),
    create: (body: Body<"createSecret">) => call("createSecret", { body }),
    update: (id: string, body: Body<"updateSecret">) => call("updateSecret", { params: { id }, body }),
    delete: (id: string) => call("deleteSecret", { params: { id } }),
    rotate: (id: string) => call("rotateSecret", { params: { id } }),
  };
}

export function ruleCalls(call: Call) {
  return {
    list: () => call("listRules"),
    get: (id: string) => call("getRule", { params: { id } }),
    create: (body: Body<"createRule">) => call("createRule", { body }),
    update: (id: string, body: Body<"updateRule">) => call("updateRule", { params: { id }, body }),
    delete: (id: string) => call("deleteRule", { params: { id } }),
  };
}

export function auditCalls(call: Call) {
  return {
    list: (query: Query<"listAudit"> = {}) => call("listAudit", { query }),
    verify: () => call("verifyAudit"),
  };
}

export function apiKeyCalls(call: Call) {
  return {
    list: () => call("listApiKeys"),
    create: (body: Body<"createApiKey">) => call("createApiKey", { body }),
    delete: (id: string) => call("deleteApiKey", { params: { id } }),
  };
}
