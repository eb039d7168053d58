// Finds what is filed under the host patterns that match an authority, without looking at any other pattern.
import type { Authority } from "../target/contract.ts";
import type { HostPattern } from "./match-host.ts";

const ANY_PORT = 0;
const ANY_HOST = "*";

/** By port, then by key: a host, `.suffix` of a wildcard, or `*`. */
export type HostIndex<T> = Map<number, Map<string, T>>;

/** The entry of a pattern, made on first use. */
export function entryOf<T>(index: HostIndex<T>, pattern: HostPattern, create: () => T): T {
  const byKey = getOrCreate(index, pattern.port ?? ANY_PORT, () => new Map<string, T>());
  return getOrCreate(byKey, keyOf(pattern), create);
}

/** The least specific first: `*`, wildcards from the shortest suffix on, the exact host. */
export function lookUp<T>(index: HostIndex<T>, authority: Authority): T[] {
  const found: T[] = [];
  const maps = [index.get(ANY_PORT), index.get(authority.port)].filter((map) => map !== undefined);
  if (maps.length === 0) return found;
  for (const key of keysOf(authority)) {
    for (const map of maps) {
      const entry = map.get(key);
      if (entry !== undefined) found.push(entry);
    }
  }
  return found;
}

export function getOrCreate<K, V>(map: Map<K, V>, key: K, create: () => V): V {
  const existing = map.get(key);
  if (existing !== undefined) return existing;
  const created = create();
  map.set(key, created);
  return created;
}

function keyOf({ kind, host }: HostPattern): string {
  if (kind === "any") return ANY_HOST;
  return kind === "wildcard" ? `.${host}` : host;
}

function keysOf({ host, kind }: Authority): string[] {
  const keys = [ANY_HOST];
  if (kind === "name") {
    for (let dot = host.lastIndexOf("."); dot > 0; dot = host.lastIndexOf(".", dot - 1))
      keys.push(host.slice(dot));
  }
  keys.push(host);
  return keys;
}
