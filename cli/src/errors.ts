// What went wrong, what to do next, and the exit code: one mapping for every command.
import { OneCLIError, OneCLIRequestError } from "@onecli/sdk";
import { CommanderError } from "commander";

export interface CliErrorOptions {
  readonly code?: string;
  readonly hint?: string;
  readonly exitCode?: number;
}

export class CliError extends Error {
  readonly code: string;
  readonly hint: string | undefined;
  readonly exitCode: number;

  constructor(message: string, options: CliErrorOptions = {}) {
    super(message);
    this.name = "CliError";
    this.code = options.code ?? "ERROR";
    this.hint = options.hint;
    this.exitCode = options.exitCode ?? 1;
  }
}

export function usageError(message: string, hint?: string): CliError {
  return new CliError(message, { code: "USAGE", ...(hint === undefined ? {} : { hint }) });
}

export interface Failure {
  readonly error: string;
  readonly code: string;
  /** the gateway's own word for the case */
  readonly reason?: string;
  readonly field?: string;
  readonly hint?: string;
  /** a command that helps */
  readonly action?: string;
  readonly exitCode: number;
}

export function failureOf(error: unknown): Failure {
  if (error instanceof OneCLIRequestError) return refusal(error);
  if (error instanceof CliError) return withHint(error, error.code, error.exitCode);
  if (error instanceof OneCLIError) return withHint(error, "UNREACHABLE", 1);
  if (error instanceof CommanderError) return usage(error);
  return { error: error instanceof Error ? error.message : "unknown failure", code: "ERROR", exitCode: 1 };
}

/** Exit codes of the published client. */
const statuses: Readonly<Record<number, { code: string; exitCode: number; action?: string }>> = {
  401: { code: "AUTH_REQUIRED", exitCode: 2, action: "onecli auth login" },
  403: { code: "FORBIDDEN", exitCode: 5 },
  404: { code: "NOT_FOUND", exitCode: 3 },
  409: { code: "CONFLICT", exitCode: 4 },
};

function refusal(error: OneCLIRequestError): Failure {
  const known = statuses[error.statusCode] ?? { code: "ERROR", exitCode: 1 };
  return {
    error: error.detail,
    ...known,
    ...(error.code === undefined ? {} : { reason: error.code }),
    ...(error.field === undefined ? {} : { field: error.field }),
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  };
}

function withHint(error: CliError | OneCLIError, code: string, exitCode: number): Failure {
  return { error: error.message, code, exitCode, ...(error.hint === undefined ? {} : { hint: error.hint }) };
}

function usage(error: CommanderError): Failure {
  return {
    error: error.message.replace(/^error: /, ""),
    code: "USAGE",
    hint: "add --help to see the command's flags and examples",
    exitCode: 1,
  };
}
