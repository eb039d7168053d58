// Rows whose defence is not in the gateway yet, and why; attacks.test.ts shows them as skipped.
export const awaiting: ReadonlyMap<string, string> = new Map([
  ["21.3", "requests are not searched for real values before they are recorded"],
]);
