// The only file that knows every part: builds them in order and passes them on as arguments.
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import tls from "node:tls";
import packageJson from "../package.json" with { type: "json" };
import { ensureAdminKey } from "./api/admin-key.ts";
import { setTimeout } from "node:timers/promises";
import { type Api, createApi } from "./api/app.ts";
import { type AuditTrail, openAudit } from "./audit/open.ts";
import { startRetention } from "./audit/retention.ts";
import { openAuthority } from "./authority/authority.ts";
import type { CertificateAuthority } from "./authority/contract.ts";
import { type Config, ConfigError } from "./config.ts";
import { type Configuration, createConfiguration } from "./configuration.ts";
import { createControlPlane } from "./control-plane.ts";
import { serveDashboard } from "./dashboard.ts";
import { createInjector } from "./inject/inject.ts";
import { createSecretBook, type SecretBook } from "./inject/secret-book.ts";
import { limits } from "./limits.ts";
import type { Log } from "./log.ts";
import { createMetrics } from "./metrics.ts";
import type { Clock } from "./model.ts";
import { createAddressGuard } from "./origin/address-guard.ts";
import { createDialer } from "./origin/dial.ts";
import { createOriginPools } from "./origin/pools.ts";
import { createResolver } from "./origin/resolve.ts";
import { findConflict } from "./policy/credential-conflict.ts";
import { validateHostPattern } from "./policy/match-host.ts";
import { validatePathPattern } from "./policy/match-path.ts";
import { listen, type Listening } from "./proxy/listener.ts";
import { createLiveConnections } from "./proxy/live.ts";
import type { DataPlane } from "./proxy/plane.ts";
import { createInnerServer, serveTunnels } from "./proxy/server.ts";
import { createTraffic } from "./proxy/traffic.ts";
import { openStore } from "./store/open.ts";
import type { Store } from "./store/store.ts";
import { openAgentToken } from "./vault/agent-token.ts";
import type { Vault } from "./vault/contract.ts";
import { openVault } from "./vault/vault.ts";

export interface Gateway extends Pick<Listening, "port" | "adminPort" | "addresses"> {
  readonly version: string;
  /** true = this start made the database */
  readonly isNew: boolean;
  readonly plane: DataPlane;
  /** Drains, then closes everything. */
  stop(): Promise<void>;
}

const clock: Clock = () => Date.now();
const { version } = packageJson;
const DAY_MS = 86_400_000;

/** @throws Error whose message says what to do; nothing is left running or half-written */
export async function compose(config: Config, log: Log): Promise<Gateway> {
  const keeping = await openKeeping(config, log);
  const configuration = createConfiguration({ ...keeping, clock, defaultAction: config.defaultAction });
  let listening: Listening | null = null;
  const plane = createPlane({ config, log, keeping, configuration, listening: () => listening });
  serveTunnels(plane);
  const api = createGatewayApi({
    config,
    log,
    keeping,
    configuration,
    plane,
    port: () => listening?.port ?? config.port,
  });
  const controlPlane = createControlPlane({
    api,
    isReady: () => !plane.stopping && plane.audit.healthy,
    dashboard: serveDashboard(config.allowedHosts),
  });
  listening = await listen(plane, config, controlPlane);
  const timers = startTimers({ config, log, plane, keeping, configuration });
  recordControl(keeping, "gateway.started", { version, port: listening.port });
  return {
    version,
    isNew: keeping.isNew,
    port: listening.port,
    adminPort: listening.adminPort,
    addresses: listening.addresses,
    plane,
    stop: once(async () => {
      timers.stop();
      await drain(plane, listening, api);
      recordControl(keeping, "gateway.stopped", {});
      await closeKeeping(plane, keeping);
    }),
  };
}

interface Keeping {
  readonly store: Store;
  readonly vault: Vault;
  readonly audit: AuditTrail;
  readonly authority: CertificateAuthority;
  readonly secrets: SecretBook;
  readonly isNew: boolean;
}

async function openKeeping(config: Config, log: Log): Promise<Keeping> {
  const store = await openStore({ dataDir: config.dataDir, auditSync: config.auditSync });
  try {
    const isNew = store.keys.list().length === 0;
    const { masterKey, masterKeyFile, passphrase } = config.kek;
    const vault = await openVault({
      store,
      clock,
      kek: {
        masterKey: masterKey ?? undefined,
        masterKeyFile: masterKeyFile ?? undefined,
        passphrase: passphrase ?? undefined,
        dataDir: config.dataDir,
      },
    });
    const audit = openAudit({
      store,
      clock,
      anchorKey: vault.derive("audit-anchor"),
      log: (message) => log.error(message),
    });
    const authority = await openAuthority({ store, vault, clock });
    ensureAdminKey({
      store,
      audit,
      clock,
      fromEnvironment: config.apiKey ?? undefined,
      credentialsFile: config.credentialsFile,
    });
    const secrets = createSecretBook({
      store,
      vault,
      unreadable: ({ name }) =>
        log.error({ secret: name }, "this secret can't be opened and will not be injected"),
    });
    return { store, vault, audit, authority, secrets, isNew };
  } catch (error) {
    store.close();
    throw error;
  }
}

interface PlaneParts {
  readonly config: Config;
  readonly log: Log;
  readonly keeping: Keeping;
  readonly configuration: Configuration;
  readonly listening: () => Listening | null;
}

function createPlane({ config, log, keeping, configuration, listening }: PlaneParts): DataPlane {
  const guard = createAddressGuard({
    allowPrivate: config.allowPrivate,
    ownAddresses: () => (listening()?.addresses() ?? []).map(({ address, port }) => ({ address, port })),
  });
  const dialer = createDialer({
    resolver: createResolver({ overrides: config.resolve }),
    guard,
    extraCa: config.extraCaFile === null ? null : readExtraCa(config.extraCaFile),
  });
  return {
    clock,
    log,
    policy: configuration.holder,
    audit: keeping.audit,
    authority: keeping.authority,
    injector: createInjector({
      plaintext: (id) => keeping.secrets.get(id),
      placeholderKey: keeping.vault.derive("placeholder"),
    }),
    pools: createOriginPools(dialer, clock),
    live: createLiveConnections(),
    traffic: createTraffic(),
    settings: {
      allowedPorts: new Set([...config.allowedPorts, ...guard.allowedPorts]),
      dashboardUrl: `http://localhost:${config.adminPort ?? config.port}`,
      viaPseudonym: `onecli-${randomBytes(6).toString("hex")}`,
    },
    inner: createInnerServer(),
    stopping: false,
  };
}

function readExtraCa(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new ConfigError([
      `ONECLI_EXTRA_CA: ${file} can't be read (${(error as NodeJS.ErrnoException).code})`,
    ]);
  }
}

interface ApiComposition extends Omit<PlaneParts, "listening"> {
  readonly plane: DataPlane;
  readonly port: () => number;
}

function createGatewayApi({ config, log, keeping, configuration, plane, port }: ApiComposition): Api {
  const { store, vault, audit, authority } = keeping;
  let roots: string | null = null;
  const changed = () => {
    try {
      configuration.reload();
      plane.live.enforce(configuration.holder.current, clock());
    } catch (error) {
      log.error(
        { kind: error instanceof Error ? error.name : "unknown" },
        "the changed configuration could not be loaded",
      );
    }
  };
  return createApi({
    store,
    vault,
    audit,
    clock,
    settings: {
      version,
      publicUrl: (host) => `http://${host}`,
      proxyHost: config.proxyHost,
      get port() {
        return port();
      },
      noProxy: config.noProxy.split(",").filter((entry) => entry.trim() !== ""),
      allowedHosts: config.allowedHosts,
      approvalTimeoutSeconds: config.approvalTimeoutSeconds,
    },
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
    rotateSecret: async () => ({ ok: false, message: "not yet" }),
    listAudit: (query) => audit.list(query),
    verifyAudit: () => audit.verify(),
    metrics: createMetrics(plane),
    log: (message, detail) => log.error(detail, message),
  });
}

function startTimers({
  config,
  log,
  plane,
  configuration,
  keeping,
}: Omit<PlaneParts, "listening"> & { plane: DataPlane }) {
  const pools = setInterval(() => plane.pools.sweep(), limits.originPoolIdleMs / 2).unref();
  // Expiry takes effect on the second, on what is open too.
  const expiry = setInterval(() => {
    if (keeping.store.tokens.deleteExpired(clock()) === 0) return;
    configuration.reload();
    plane.live.enforce(configuration.holder.current, clock());
  }, 1_000).unref();
  const retention =
    config.auditRetentionDays === null
      ? null
      : startRetention({
          audit: keeping.audit,
          olderThanMs: config.auditRetentionDays * DAY_MS,
          log: (message) => log.error(message),
        });
  return {
    stop() {
      clearInterval(pools);
      clearInterval(expiry);
      retention?.stop();
    },
  };
}

/** New exchanges are refused, running ones may end; what is left after the time-out is cut. */
async function drain(plane: DataPlane, listening: Listening, api: Api): Promise<void> {
  plane.stopping = true;
  api.close();
  await listening.close();
  const until = clock() + limits.drainTimeoutMs;
  while (plane.live.exchanges.size > 0 && clock() < until) await setTimeout(20);
  for (const exchange of plane.live.exchanges) exchange.end("stopped");
  for (const tunnel of plane.live.tunnels) tunnel.socket.destroy();
}

async function closeKeeping(plane: DataPlane, { audit, secrets, vault, store }: Keeping): Promise<void> {
  await plane.pools.close();
  plane.inner.close();
  audit.stop();
  secrets.close();
  vault.close();
  store.close();
}

function recordControl(
  { store, audit }: Keeping,
  action: string,
  detail: Record<string, string | number>,
): void {
  store.transaction(() => audit.control({ action, actor: "gateway", target: null, detail }));
}

function once(work: () => Promise<void>): () => Promise<void> {
  let started: Promise<void> | undefined;
  return () => (started ??= work());
}
