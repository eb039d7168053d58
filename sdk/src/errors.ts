// What the client throws: one class for what went wrong on the way, one for what the gateway answered.

/** The gateway could not be reached, answered in an unknown form, or the call makes no sense here. */
export class OneCLIError extends Error {
  /** what to do next */
  readonly hint: string | undefined;

  constructor(message: string, options: { hint?: string | undefined; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "OneCLIError";
    this.hint = options.hint;
  }
}

export interface RequestFailure {
  readonly url: string;
  readonly statusCode: number;
  /** the gateway's own sentence; the message adds where it came from */
  readonly detail?: string | undefined;
  /** the gateway's stable word for the case, e.g. `AGENT_NOT_FOUND` */
  readonly code?: string | undefined;
  readonly hint?: string | undefined;
  /** member of the request that was refused */
  readonly field?: string | undefined;
}

/** The gateway answered with a status other than 2xx. */
export class OneCLIRequestError extends Error {
  readonly url: string;
  readonly statusCode: number;
  readonly detail: string;
  readonly code: string | undefined;
  readonly hint: string | undefined;
  readonly field: string | undefined;

  constructor(message: string, failure: RequestFailure) {
    super(message);
    this.name = "OneCLIRequestError";
    this.url = failure.url;
    this.statusCode = failure.statusCode;
    this.detail = failure.detail ?? message;
    this.code = failure.code;
    this.hint = failure.hint ?? hintFor(failure.statusCode);
    this.field = failure.field;
  }
}

function hintFor(statusCode: number): string | undefined {
  if (statusCode === 401) return 'give a valid key: "onecli auth login", or ONECLI_API_KEY';
  if (statusCode === 403) return "the role of this key does not cover the call: use one with role admin";
  if (statusCode === 429) return "wait before the next try";
  if (statusCode >= 500) return "look at the gateway's log";
  return undefined;
}
