import type { Store } from "../store/store.ts";
import type { Vault } from "./contract.ts";

/** The agent's classic token in full: container-config must show it again. */
export function openAgentToken(
  parts: { store: Pick<Store, "agents">; vault: Vault },
  agentId: string,
): string {
  const token = parts.store.agents.token(agentId);
  if (token === undefined) throw new Error("this agent has no token");
  using secret = parts.vault.open({ table: "agents", rowId: agentId, purpose: "agent-token" }, token.sealed);
  return secret.reveal();
}
