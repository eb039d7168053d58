// For tests: a rotation on a real store and vault, with origins over TLS, that remembers everything it said.
import { onTestFinished } from "vitest";
import { type Origin, type OriginOptions, startOrigin } from "../../test/support/origin.ts";
import { testAuthority } from "../../test/support/test-authority.ts";
import type { ControlEvent } from "../audit/contract.ts";
import type { Credential } from "../model.ts";
import { createAddressGuard } from "../origin/address-guard.ts";
import type { Dialer } from "../origin/contract.ts";
import { createDialer } from "../origin/dial.ts";
import { createResolver } from "../origin/resolve.ts";
import type { Store } from "../store/store.ts";
import { aCredential, temporaryDirectory, temporaryStore } from "../store/testing.ts";
import type { Vault } from "../vault/contract.ts";
import { Secret } from "../vault/secret.ts";
import { NOW, reveal, vaultOn } from "../vault/testing.ts";
import { type Rotation, type RotationParts, createRotation } from "./rotation.ts";

export const OLD = "old-VALUE-0123456789";
export const NEW = "new-VALUE-9876543210";

export interface Bench {
  readonly store: Store;
  readonly vault: Vault;
  readonly rotation: Rotation;
  readonly events: ControlEvent[];
  /** everything but values may be in here: events, log lines */
  readonly said: string[];
  /** the value of the secret each time `changed` was called */
  readonly announced: (string | undefined)[];
  readonly clock: { now: number };
  /** actions of the audit so far, without `secret.` */
  actions(): string[];
  add(change?: Partial<Credential>): Credential;
  value(id?: string): string;
  /** another gateway process on the same database */
  another(change?: Partial<RotationParts>): Rotation;
}

export async function bench(change: Partial<RotationParts> = {}): Promise<Bench> {
  const store = await temporaryStore();
  const vault = await vaultOn(store, temporaryDirectory());
  const events: ControlEvent[] = [];
  const said: string[] = [];
  const announced: (string | undefined)[] = [];
  const clock = { now: NOW };
  const context = (rowId: string) => ({ table: "secrets", rowId, purpose: "secret-value" }) as const;
  const value = (id = "secret-1") => reveal(store, vault, context(id));
  const another = (different: Partial<RotationParts> = {}) => {
    const rotation = createRotation({
      store,
      vault,
      audit: { control: (event) => void (said.push(JSON.stringify(event)), events.push(event)) },
      dialer: dialerTo({}),
      clock: () => clock.now,
      changed: () => void announced.push(store.secrets.get("secret-1") && value()),
      log: (message, detail) => void said.push(JSON.stringify([message, detail])),
      ...change,
      ...different,
    });
    onTestFinished(() => rotation.stop());
    return rotation;
  };
  return {
    store,
    vault,
    rotation: another(),
    events,
    said,
    announced,
    clock,
    actions: () => events.map(({ action }) => action.replace("secret.", "")),
    add: (credential = {}) => {
      const added = aCredential({ createdAt: NOW, ...credential });
      store.secrets.insert(added, vault.seal(context(added.id), Secret.of(OLD)));
      return added;
    },
    value,
    another,
  };
}

/** Leads each name, on port 443, to an origin on loopback, and lets it go there. */
export function dialerTo(origins: Readonly<Record<string, Origin>>, allowed = true): Dialer {
  const names = Object.keys(origins).map((name) => (name.includes(":") ? name : `${name}:443`));
  const ports = Object.values(origins).map(({ port }) => port);
  return createDialer({
    resolver: createResolver({
      overrides: names.map((name, index) => `${name}=127.0.0.1:${ports[index]}`).join(","),
    }),
    guard: createAddressGuard({ allowPrivate: allowed ? names.join(",") : "", ownAddresses: () => [] }),
    extraCa: testAuthority().ca,
  });
}

export async function originFor(names: readonly string[], options: Partial<OriginOptions> = {}) {
  const origin = await startOrigin({ tls: true, names, ...options });
  onTestFinished(() => origin.close());
  return origin;
}

/** argv of a program that runs this JavaScript */
export function script(source: string, ...args: string[]): string[] {
  return [process.execPath, "-e", source, ...args];
}

/** argv of a program that prints the text */
export function printing(text: string): string[] {
  return ["printf", "%s", text];
}
