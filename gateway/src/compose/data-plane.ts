import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { type Config, ConfigError } from "../config.ts";
import type { Configuration } from "../configuration.ts";
import { createInjector } from "../inject/inject.ts";
import { createScrubberBook } from "../inject/scrubber-book.ts";
import { createTokenIssuer } from "../issued/issue.ts";
import type { Log } from "../log.ts";
import type { Clock, Credential } from "../model.ts";
import { type AddressGuard, createAddressGuard } from "../origin/address-guard.ts";
import type { Dialer } from "../origin/contract.ts";
import { createDialer } from "../origin/dial.ts";
import { createOriginPools } from "../origin/pools.ts";
import { createResolver } from "../origin/resolve.ts";
import { createBackoff } from "../proxy/backoff.ts";
import type { Listening } from "../proxy/listener.ts";
import { createLiveConnections } from "../proxy/live.ts";
import type { DataPlane } from "../proxy/plane.ts";
import { createInnerServer } from "../proxy/server.ts";
import { createTraffic } from "../proxy/traffic.ts";
import type { Keeping } from "./keeping.ts";

export interface WayOut {
  readonly guard: AddressGuard;
  readonly dialer: Dialer;
}

/** @param listening the gateway's own addresses, which are never dialled */
export function createWayOut(config: Config, listening: () => Listening | null): WayOut {
  const ownAddresses = () => (listening()?.addresses() ?? []).map(({ address, port }) => ({ address, port }));
  const guard = named("ONECLI_ALLOW_PRIVATE", () =>
    createAddressGuard({ allowPrivate: config.allowPrivate, ownAddresses }),
  );
  const resolver = named("ONECLI_RESOLVE", () => createResolver({ overrides: config.resolve }));
  const extraCa = config.extraCaFile === null ? null : readExtraCa(config.extraCaFile);
  const dialer = named("ONECLI_EXTRA_CA", () => createDialer({ resolver, guard, extraCa }));
  return { guard, dialer };
}

export interface DataPlaneComposition {
  readonly config: Config;
  readonly log: Log;
  readonly clock: Clock;
  readonly keeping: Keeping;
  readonly configuration: Configuration;
  readonly wayOut: WayOut;
}

/** @param changed after the gateway itself changed the configuration */
export function createDataPlane(parts: DataPlaneComposition, changed: () => void): DataPlane {
  const { config, log, clock, keeping, configuration, wayOut } = parts;
  const plaintext = (id: string) => keeping.secrets.get(id);
  const injector = createInjector({ plaintext, placeholderKey: keeping.vault.derive("placeholder") });
  const placeholder = (agentId: string, credential: Credential) => injector.placeholder(agentId, credential);
  return {
    clock,
    log,
    policy: configuration.holder,
    audit: keeping.audit,
    authority: keeping.authority,
    injector,
    scrubbers: createScrubberBook({ plaintext, placeholder }),
    tokens: createTokenIssuer({ ...keeping, clock, plaintext, placeholder, changed }),
    pools: createOriginPools(wayOut.dialer, clock),
    backoff: createBackoff(clock),
    live: createLiveConnections(),
    traffic: createTraffic(),
    settings: {
      allowedPorts: new Set([...config.allowedPorts, ...wayOut.guard.allowedPorts]),
      dashboardUrl: `http://localhost:${config.adminPort ?? config.port}`,
      viaPseudonym: `onecli-${randomBytes(6).toString("hex")}`,
    },
    inner: createInnerServer(),
    stopping: false,
  };
}

/** What a parser says, under the name of the variable it read. */
function named<T>(variable: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw error instanceof RangeError ? new ConfigError([`${variable}: ${error.message}`]) : error;
  }
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
