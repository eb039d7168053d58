// The wiring as options of dockerode's createContainer (Docker Engine API, POST /containers/create).
import { bundleVariables, type Mount, type Wiring } from "./container-wiring.ts";

/** The part of dockerode's `ContainerCreateOptions` that is read and written here. */
export interface CreateOptions {
  Env?: string[] | undefined;
  HostConfig?: { Binds?: string[] | undefined; ExtraHosts?: string[] | undefined } | undefined;
}

/** A copy with the wiring added; of two entries for one variable, ours stands and the caller's goes. */
export function withWiring<T extends CreateOptions>(options: T, wiring: Wiring): T {
  const ours = environmentOf(wiring);
  const theirs = (options.Env ?? []).filter((entry) => !ours.has(entry.split("=", 1)[0] ?? ""));
  const host = options.HostConfig ?? {};
  return {
    ...options,
    Env: [...theirs, ...[...ours].map(([name, value]) => `${name}=${value}`)],
    HostConfig: {
      ...host,
      Binds: [...(host.Binds ?? []), ...mounts(wiring).map(bind)],
      ...extraHosts(host.ExtraHosts, wiring.extraHost),
    },
  };
}

function environmentOf(wiring: Wiring): Map<string, string> {
  const env = new Map(wiring.env);
  if (wiring.bundle !== undefined) for (const name of bundleVariables) env.set(name, wiring.bundle.target);
  return env;
}

function mounts(wiring: Wiring): Mount[] {
  return [wiring.ca, ...(wiring.bundle === undefined ? [] : [wiring.bundle]), ...wiring.stubs];
}

function bind({ source, target }: Mount): string {
  return `${source}:${target}:ro`;
}

function extraHosts(theirs: string[] | undefined, ours: string | undefined): { ExtraHosts?: string[] } {
  if (ours === undefined) return {};
  const name = ours.split(":", 1)[0] ?? "";
  if (theirs?.some((entry) => entry.startsWith(`${name}:`)) === true) return {};
  return { ExtraHosts: [...(theirs ?? []), ours] };
}
