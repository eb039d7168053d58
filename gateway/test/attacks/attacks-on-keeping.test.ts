// The second half of the suite, in a file of its own so that both run at once: keys, traces, the control plane, bounds.
import { allRows } from "./rows/index.ts";
import { describeAttacks } from "./suite.ts";

describeAttacks(
  "an attack on what is kept",
  allRows.filter(({ id }) => id >= "19"),
);
