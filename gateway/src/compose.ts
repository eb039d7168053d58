// Builds the parts in order and passes them on as arguments; compose/ holds the wiring of each side.
import packageJson from "../package.json" with { type: "json" };
import type { ApiDoor } from "./compose/api.ts";
import { createDataPlane, createWayOut } from "./compose/data-plane.ts";
import { closeKeeping, openKeeping, recordControl } from "./compose/keeping.ts";
import { drain, startRegularWork } from "./compose/life.ts";
import type { Config } from "./config.ts";
import { type Configuration, createConfiguration } from "./configuration.ts";
import { createControlPlane } from "./control-plane.ts";
import { serveDashboard } from "./dashboard.ts";
import type { Log } from "./log.ts";
import type { Clock } from "./model.ts";
import { listen, type Listening } from "./proxy/listener.ts";
import type { DataPlane } from "./proxy/plane.ts";
import { serveTunnels } from "./proxy/server.ts";
import { createRotation } from "./rotation/rotation.ts";

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

/** @throws Error whose message says what to do; nothing is left half-written */
export async function compose(config: Config, log: Log): Promise<Gateway> {
  let listening: Listening | null = null;
  const wayOut = createWayOut(config, () => listening);
  const keeping = await openKeeping(config, log, clock);
  const configuration = createConfiguration({ ...keeping, clock, defaultAction: config.defaultAction });
  const parts = { config, log, clock, keeping, configuration, wayOut };
  const plane = createDataPlane(parts, () => changed());
  const changed = changeHandler(plane, configuration, log);
  const rotation = createRotation({
    ...keeping,
    dialer: wayOut.dialer,
    clock,
    changed,
    log: (message, detail) => log.warn(detail, message),
  });
  let door: ApiDoor | null = null;
  const openDoor = lazily(async () => {
    const { openApiDoor } = await import("./compose/api.ts");
    const port = () => listening?.port ?? config.port;
    door = openApiDoor({ ...parts, plane, rotation, changed, version, port });
    return door.serve;
  });
  serveTunnels(plane);
  const controlPlane = createControlPlane({
    api: openDoor,
    isReady: () => !plane.stopping && !plane.policy.stale && plane.audit.healthy,
    dashboard: serveDashboard(config.allowedHosts),
  });
  const bound = await listen(plane, config, controlPlane).catch((error: unknown) => {
    closeKeeping(keeping);
    throw error;
  });
  listening = bound;
  const work = startRegularWork({ ...parts, plane, changed });
  rotation.start();
  recordControl(keeping, "gateway.started", { version, port: bound.port });
  setImmediate(() => void openDoor());
  const stop = lazily(async () => {
    work.stop();
    rotation.stop();
    await openDoor();
    await drain(plane, bound, () => door?.close());
    recordControl(keeping, "gateway.stopped", {});
    closeKeeping(keeping);
  });
  return { ...bound, version, isNew: keeping.isNew, plane, stop };
}

/** The change is committed already: if it can't be loaded, calls are refused until it can. */
function changeHandler(plane: DataPlane, configuration: Configuration, log: Log): () => void {
  return () => {
    try {
      configuration.reload();
      plane.live.enforce(configuration.holder.current, clock());
    } catch (error) {
      const kind = error instanceof Error ? error.name : "unknown";
      log.error({ kind }, "the changed configuration could not be loaded");
    }
  };
}

function lazily<T>(work: () => Promise<T>): () => Promise<T> {
  let started: Promise<T> | undefined;
  return () => (started ??= work());
}
