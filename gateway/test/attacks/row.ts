// A row of the suite: one attack, tried on every way in that can carry it, and what came of it.
import type { Ingress, World } from "./world.ts";

export interface Verdict {
  readonly outcome: "passed" | "failed" | "not applicable";
  /** one line */
  readonly evidence: string;
}

export interface Row {
  /** class and number, e.g. `01.3` */
  readonly id: string;
  readonly class: string;
  /** the required outcome, as a sentence */
  readonly name: string;
  readonly ingresses: readonly Ingress[];
  run(world: World): Promise<Verdict>;
}

/** What a target must have for an attack to mean something there. */
export type Need = keyof typeof NEEDS;

const NEEDS = {
  control: "needs rules and secrets of its own in the target",
  injection: "needs a target that places a known secret",
  own: "starts gateways of this project",
} as const;

export interface Trial {
  readonly world: World;
  readonly ingress: Ingress;
  /** Counts; what does not hold is the evidence of a failure. */
  readonly check: (holds: boolean, otherwise: string) => void;
}

export interface Attack extends Omit<Row, "run"> {
  readonly needs?: readonly Need[];
  /** Called once for each way in. */
  readonly on: (this: void, trial: Trial) => Promise<void>;
}

const EVIDENCE_CHARACTERS_MAX = 240;

export function row({ needs = [], on, ...rest }: Attack): Row {
  return {
    ...rest,
    async run(world) {
      const missing = needs.find((need) => !world.has.has(need));
      if (missing !== undefined) return { outcome: "not applicable", evidence: NEEDS[missing] };
      const ingresses = rest.ingresses.filter((ingress) => world.ingresses.has(ingress));
      if (ingresses.length === 0)
        return { outcome: "not applicable", evidence: `the target has no ${rest.ingresses.join(", ")}` };
      return await judge(world, ingresses, on);
    },
  };
}

async function judge(world: World, ingresses: readonly Ingress[], on: Attack["on"]): Promise<Verdict> {
  const problems: string[] = [];
  let checks = 0;
  for (const ingress of ingresses) {
    const check = (holds: boolean, otherwise: string) => {
      checks += 1;
      if (!holds) problems.push(`${ingress}: ${otherwise}`);
    };
    world.reset();
    await on({ world, ingress, check }).catch((error: unknown) => check(false, reasonOf(error)));
  }
  world.reset();
  const [first] = problems;
  if (first === undefined)
    return { outcome: "passed", evidence: `${checks} checks over ${ingresses.join(", ")}` };
  const more = problems.length === 1 ? "" : ` (and ${problems.length - 1} more of ${checks} checks)`;
  return { outcome: "failed", evidence: oneLine(first) + more };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : "could not be tried";
}

/** What a target answers goes to a terminal: controls are shown, not sent. */
export function oneLine(text: string): string {
  const plain = text.replaceAll(/[^\x20-\x7e]/g, (character) => JSON.stringify(character).slice(1, -1));
  return plain.length > EVIDENCE_CHARACTERS_MAX ? `${plain.slice(0, EVIDENCE_CHARACTERS_MAX)}…` : plain;
}
