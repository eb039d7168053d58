// Where an authority is: as configured, as written, or as the system's resolver says (hosts file, search domains, DNS).
import { lookup as systemLookup } from "node:dns/promises";
import type { Authority } from "../target/contract.ts";
import { type Endpoint, entriesOf, parseHostPort } from "./endpoint.ts";
import { type Lookup, boundedLookup } from "./lookups.ts";

export interface ResolverOptions {
  /** `host:port=address:port`, separated by commas; several for one host:port are several addresses */
  readonly overrides?: string;
  readonly lookup?: Lookup;
}

export interface Resolver {
  /**
   * Nothing is kept: an answer is for the connection that asked and for those that asked while it was under way.
   * @throws DialError `origin_unreachable`; the signal's reason when aborted
   */
  resolve(authority: Authority, signal: AbortSignal): Promise<readonly Endpoint[]>;
}

/** @throws RangeError that names the malformed override */
export function createResolver({ overrides = "", lookup = lookupBySystem }: ResolverOptions): Resolver {
  const configured = parseOverrides(overrides);
  const addressesOf = boundedLookup(lookup);
  return {
    async resolve({ host, port, kind }, signal) {
      const override = configured.get(`${host}:${port}`);
      if (override !== undefined) return override;
      if (kind !== "name") return [{ address: host, port }];
      const addresses = await addressesOf(host, signal);
      return addresses.map((address) => ({ address, port }));
    },
  };
}

/** getaddrinfo rather than a DNS client: a name means here what it means everywhere else on the machine. */
async function lookupBySystem(name: string): Promise<string[]> {
  const answers = await systemLookup(name, { all: true, order: "verbatim" });
  return answers.map(({ address }) => address);
}

function parseOverrides(text: string): Map<string, Endpoint[]> {
  const endpoints = new Map<string, Endpoint[]>();
  for (const entry of entriesOf(text)) {
    const [from, to, ...rest] = entry.split("=").map(parseHostPort);
    if (from == null || to?.kind !== "address" || rest.length > 0) {
      throw new RangeError(`"${entry}" is not host:port=address:port (IPv6 in brackets)`);
    }
    const key = `${from.host}:${from.port}`;
    endpoints.set(key, [...(endpoints.get(key) ?? []), { address: to.host, port: to.port }]);
  }
  return endpoints;
}
