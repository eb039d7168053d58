import type { IncomingMessage, ServerResponse } from "node:http";
import tls from "node:tls";
import { getRequestListener } from "@hono/node-server";
import { createApi } from "../api/app.ts";
import type { ApiParts } from "../api/contract.ts";
import type { Config } from "../config.ts";
import { openAgentToken } from "../vault/agent-token.ts";
import { findConflict } from "../policy/credential-conflict.ts";
import { validateHostPattern } from "../policy/match-host.ts";
import { validatePathPattern } from "../policy/match-path.ts";
import type { DataPlane } from "../proxy/plane.ts";
import type { Rotation } from "../rotation/rotation.ts";
import type { DataPlaneComposition } from "./data-plane.ts";

export interface ApiComposition extends Omit<DataPlaneComposition, "wayOut"> {
  readonly plane: DataPlane;
  readonly rotation: Rotation;
  readonly changed: () => void;
  readonly version: string;
  /** of the proxy, once it listens */
  readonly port: () => number;
}

export interface ApiDoor {
  readonly serve: (request: IncomingMessage, answer: ServerResponse) => void;
  /** Releases what is held. */
  close(): void;
}

/** Imported when the proxy serves already: nothing of it is needed for a call of an agent. */
export function openApiDoor(parts: ApiComposition): ApiDoor {
  const api = createGatewayApi(parts);
  const listener = getRequestListener(
    (request, env) => {
      const { incoming } = env as { incoming: IncomingMessage };
      return api.fetch(request, { source: incoming.socket.remoteAddress ?? "unix" });
    },
    { overrideGlobalObjects: false },
  );
  return { serve: (request, answer) => void listener(request, answer), close: () => api.close() };
}

function createGatewayApi(parts: ApiComposition) {
  const { keeping, configuration, plane, rotation, log, clock, changed } = parts;
  const { store, vault, audit, authority } = keeping;
  let roots: string | null = null;
  return createApi({
    store,
    vault,
    audit,
    clock,
    settings: settingsOf(parts.config, parts),
    caCertificate: authority.certificate,
    publicRoots: () => (roots ??= tls.rootCertificates.join("\n")),
    changed,
    policy: {
      credentialsOf: (agentId) => configuration.holder.current.credentialsOf(agentId),
      validateHostPattern,
      validatePathPattern,
      findConflict,
    },
    agentToken: (agentId) => openAgentToken(keeping, agentId),
    placeholder: (agentId, credential) => plane.injector.placeholder(agentId, credential),
    rotateSecret: (id, actor) => rotation.rotate(id, actor),
    listAudit: (query) => audit.list(query),
    verifyAudit: () => audit.verify(),
    metrics: metricsOf(plane),
    log: (message, detail) => log.error(detail, message),
  });
}

function metricsOf(plane: DataPlane): () => Promise<string> {
  let metrics: (() => Promise<string>) | undefined;
  return async () => {
    metrics ??= (await import("../metrics.ts")).createMetrics(plane);
    return metrics();
  };
}

function settingsOf(config: Config, { version, port }: ApiComposition): ApiParts["settings"] {
  return {
    version,
    publicUrl: (host) => `http://${host}`,
    proxyHost: config.proxyHost,
    get port() {
      return port();
    },
    noProxy: config.noProxy.split(",").filter((entry) => entry.trim() !== ""),
    allowedHosts: config.allowedHosts,
    approvalTimeoutSeconds: config.approvalTimeoutSeconds,
  };
}
