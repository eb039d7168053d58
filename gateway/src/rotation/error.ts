// Why a rotation failed, in words for an administrator: never a value, a program's output or a URL's path.
export class RotationError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "RotationError";
  }
}

/** What a signal that ended the work means. */
export function interruption(signal: AbortSignal, who: string): RotationError {
  const reason: unknown = signal.reason;
  const isTimeout = reason instanceof Error && reason.name === "TimeoutError";
  return new RotationError(
    isTimeout ? `${who} took too long` : "the gateway stopped before the rotation was done",
  );
}
