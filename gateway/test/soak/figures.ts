// The soak's report: one line per figure as it is known, and the count at the end.

export interface Figures {
  /** Prints `passed` or `failed`, what was looked at and what was found. */
  check(name: string, found: string, good: boolean): void;
  /** A figure without a verdict. */
  note(name: string, found: string): void;
  /** Prints the closing line. */
  end(): { readonly failed: number };
}

const NAME_WIDTH = 44;

export function createFigures(print: (line: string) => void): Figures {
  const counts = { passed: 0, failed: 0 };
  const line = (verdict: string, name: string, found: string) =>
    print(`${verdict}  ${name.padEnd(NAME_WIDTH)}  ${found}`);
  return {
    check(name, found, good) {
      counts[good ? "passed" : "failed"] += 1;
      line(good ? "passed" : "failed", name, found);
    },
    note: (name, found) => line("      ", name, found),
    end() {
      print(`${counts.passed} passed, ${counts.failed} failed`);
      return { failed: counts.failed };
    },
  };
}
