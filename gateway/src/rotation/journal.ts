// What is written down of a rotation: each step an audit event, and which rotations have begun and not ended, so that
// one that a kill cut off is reported at the next start.
import { z } from "zod";
import type { Audit, ControlEvent } from "../audit/contract.ts";
import type { Store } from "../store/store.ts";

const rotationRun = z.object({
  id: z.string(),
  secretId: z.string(),
  /** of the secret */
  name: z.string(),
  actor: z.string(),
});
export type RotationRun = Readonly<z.infer<typeof rotationRun>>;

export interface Journal {
  started(run: RotationRun, source: "command" | "webhook"): void;
  valueMade(run: RotationRun): void;
  tested(run: RotationRun): void;
  /** The switch and its event are one transaction. */
  rotated(run: RotationRun, change: () => void): void;
  failed(run: RotationRun, reason: string): void;
  /** Ends as failed what an earlier process left open. */
  reportInterrupted(): RotationRun[];
}

const OPEN_RUNS = "rotation.running";
const openRuns = z.array(rotationRun);

export function createJournal(store: Store, audit: Pick<Audit, "control">): Journal {
  const interrupted = readOpen(store);
  const record = (run: RotationRun, step: string, detail: ControlEvent["detail"] = {}) => {
    const { id, secretId, name, actor } = run;
    audit.control({
      action: `secret.${step}`,
      actor,
      target: secretId,
      detail: { name, rotation: id, ...detail },
    });
  };
  const failed = (run: RotationRun, reason: string) =>
    store.transaction(() => {
      setOpen(store, without(readOpen(store), run));
      record(run, "rotation_failed", { reason });
    });
  return {
    started: (run, source) =>
      store.transaction(() => {
        setOpen(store, [...readOpen(store), run]);
        record(run, "rotation_started", { source });
      }),
    valueMade: (run) => store.transaction(() => record(run, "rotation_value_made")),
    tested: (run) => store.transaction(() => record(run, "rotation_tested")),
    rotated: (run, change) =>
      store.transaction(() => {
        change();
        setOpen(store, without(readOpen(store), run));
        record(run, "rotated");
      }),
    failed,
    reportInterrupted() {
      const runs = interrupted.splice(0);
      for (const run of runs) failed(run, "the gateway ended before the rotation was done");
      return runs;
    },
  };
}

function readOpen(store: Store): RotationRun[] {
  try {
    return openRuns.parse(JSON.parse(store.meta.get(OPEN_RUNS) ?? "[]"));
  } catch {
    // Only a notice hangs on it, and a list that can't be read must not stop every rotation.
    return [];
  }
}

function setOpen(store: Store, runs: readonly RotationRun[]): void {
  store.meta.set(OPEN_RUNS, JSON.stringify(runs));
}

function without(runs: readonly RotationRun[], { id }: RotationRun): RotationRun[] {
  return runs.filter((run) => run.id !== id);
}
