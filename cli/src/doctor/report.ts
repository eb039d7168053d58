// One line of the doctor's report.

export interface Finding {
  readonly check: string;
  readonly result: "ok" | "failed" | "skipped";
  readonly detail: string;
  readonly fix?: string;
  /** tools only: the call went through the gateway, and its certificate was accepted */
  readonly proxied?: boolean;
  readonly trusted?: boolean;
}

type Rest = Omit<Finding, "check" | "result" | "detail">;

export function ok(check: string, detail: string, rest: Rest = {}): Finding {
  return { check, result: "ok", detail, ...rest };
}

export function failed(check: string, detail: string, fix: string, rest: Rest = {}): Finding {
  return { check, result: "failed", detail, fix, ...rest };
}

export function skipped(check: string, detail: string): Finding {
  return { check, result: "skipped", detail };
}
