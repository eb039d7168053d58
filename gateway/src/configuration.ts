// Configuration as one immutable snapshot, swapped whole. Whatever lost its right by the change is closed.
import type { SecretBook } from "./inject/secret-book.ts";
import type { Clock, DefaultAction } from "./model.ts";
import type { Snapshot } from "./policy/contract.ts";
import { compileSnapshot } from "./policy/snapshot.ts";
import type { Store } from "./store/store.ts";

export interface Configuration {
  readonly holder: PolicyHolder;
  /** Reads the store, compiles, swaps. */
  reload(): void;
}

export interface PolicyHolder {
  current: Snapshot;
  /** true = a change is in the database that could not be loaded: nothing may pass on what was true before */
  stale: boolean;
}

export interface ConfigurationParts {
  readonly store: Store;
  readonly secrets: SecretBook;
  readonly clock: Clock;
  readonly defaultAction: DefaultAction;
}

export function createConfiguration(parts: ConfigurationParts): Configuration {
  let revision = 0;
  const compile = (): Snapshot => {
    const { store, secrets, clock, defaultAction } = parts;
    const credentials = store.secrets.list();
    secrets.reload(credentials);
    revision += 1;
    return compileSnapshot({
      revision,
      agents: store.agents.list(),
      tokens: store.tokens.list(clock()),
      rules: store.rules.list(),
      credentials,
      defaultAction,
    });
  };
  const holder = { current: compile(), stale: false };
  return {
    holder,
    reload() {
      holder.stale = true;
      holder.current = compile();
      holder.stale = false;
    },
  };
}
