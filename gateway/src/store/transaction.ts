// Synchronous transactions on the one connection; nested ones join the outer. Hooks let the audit put its head of
// the chain back when the transaction that it wrote in is rolled back.
import type { Database } from "better-sqlite3";
import { StoreError } from "./error.ts";

export interface Transactions {
  run<T>(work: () => T): T;
  /** true between BEGIN and COMMIT */
  readonly active: boolean;
  /** Called when the current outermost transaction is rolled back, the last registered first. */
  onRollback(undo: () => void): void;
}

interface State {
  active: boolean;
  /** a nested call threw: the outer transaction must not commit, even when its caller caught that */
  doomed: boolean;
  undo: (() => void)[];
}

export function createTransactions(db: Database): Transactions {
  const state: State = { active: false, doomed: false, undo: [] };
  const outermost = outermostRunner(db, state);
  return {
    run: (work) => (state.active ? join(state, work) : outermost(work)),
    get active() {
      return state.active;
    },
    onRollback: (undo) => void state.undo.push(undo),
  };
}

function outermostRunner(db: Database, state: State): <T>(work: () => T) => T {
  const begin = db.prepare("BEGIN IMMEDIATE");
  const commit = db.prepare("COMMIT");
  return (work) => {
    begin.run();
    state.active = true;
    try {
      const result = refusePromise(work());
      if (state.doomed)
        throw new StoreError("transaction", "a nested transaction failed: nothing was changed");
      refuseLost(db);
      commit.run();
      return result;
    } catch (error) {
      rollback(db, state);
      throw error;
    } finally {
      state.active = false;
      state.doomed = false;
      state.undo = [];
    }
  };
}

function join<T>(state: State, work: () => T): T {
  try {
    return refusePromise(work());
  } catch (error) {
    state.doomed = true;
    throw error;
  }
}

function rollback(db: Database, state: State): void {
  // SQLite rolls back by itself after some errors (disk full, I/O); a second ROLLBACK would hide the first error.
  if (db.inTransaction) db.exec("ROLLBACK");
  for (const undo of state.undo.toReversed()) undo();
}

function refuseLost(db: Database): void {
  if (!db.inTransaction) throw new StoreError("transaction", "the database rolled the transaction back");
}

/** A transaction that waits would let other turns of the event loop write into it. */
function refusePromise<T>(result: T): T {
  if (result instanceof Promise)
    throw new StoreError("transaction", "a transaction must not be asynchronous");
  return result;
}
