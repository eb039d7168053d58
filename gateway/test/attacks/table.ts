// What came of every row, as a table for people and as JSON for programs.
import type { Row, Verdict } from "./row.ts";

export interface Result {
  readonly row: Row;
  readonly verdict: Verdict;
}

const OUTCOME_WIDTH = 14;

export function lineOf({ row, verdict }: Result): string {
  return `${row.id.padEnd(6)}${verdict.outcome.padEnd(OUTCOME_WIDTH + 2)}${row.name}\n${" ".repeat(8)}${verdict.evidence}`;
}

export function summaryOf(results: readonly Result[]): string {
  const count = (outcome: Verdict["outcome"]) =>
    results.filter(({ verdict }) => verdict.outcome === outcome).length;
  return `${count("passed")} passed, ${count("failed")} failed, ${count("not applicable")} not applicable`;
}

export function jsonOf(results: readonly Result[]): string {
  return JSON.stringify(
    results.map(({ row: { id, class: name, name: required, ingresses }, verdict }) => ({
      id,
      class: name,
      name: required,
      ingresses,
      ...verdict,
    })),
    null,
    2,
  );
}
