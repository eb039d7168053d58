// Health, counts, and the honest answers about what this gateway does not have.
import type { ApiParts } from "./contract.ts";
import { type Handlers, iso } from "./handler.ts";
import { ApiError, conflict } from "./problem.ts";
import { visibleAgents, visibleRules, visibleSecrets } from "./visibility.ts";

type Names = "health" | "counts" | "apps" | "projects" | "migrateExport" | "rotateVault";

export function operationHandlers(parts: ApiParts): Handlers<Names> {
  const { store, settings, clock } = parts;
  return {
    health: () => ({ status: "ok", version: settings.version, timestamp: iso(clock()) }),
    counts: ({ key }) => ({
      agents: visibleAgents(store, key).length,
      secrets: visibleSecrets(store, key).length,
      rules: visibleRules(store, key).length,
      apps: 0,
    }),
    apps: () => [],
    projects: () => [],
    migrateExport() {
      const error = "this gateway does not export to a cloud account: secrets never leave it";
      throw new ApiError(501, { error, code: "not_implemented" });
    },
    rotateVault: rotateVaultHandler(parts),
  };
}

function rotateVaultHandler(parts: ApiParts): Handlers<"rotateVault">["rotateVault"] {
  let running = false;
  return async ({ key }) => {
    if (running) throw conflict("a rotation of the vault's keys is running already");
    running = true;
    try {
      record(parts, { action: "vault.rotation_started", actor: key.id, target: null, detail: {} });
      const result = await parts.vault.rotate();
      record(parts, { action: "vault.rotated", actor: key.id, target: result.keyId, detail: { ...result } });
      parts.changed();
      return result;
    } finally {
      running = false;
    }
  };
}

function record({ store, audit }: ApiParts, event: Parameters<ApiParts["audit"]["control"]>[0]): void {
  store.transaction(() => audit.control(event));
}
