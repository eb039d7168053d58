// Every error of the API is one flat object: the published Go client prints nothing else.
import type { Problem } from "@onecli/sdk/contract";

/** Thrown by handlers and by what they call; the only way to answer with an error. */
export class ApiError extends Error {
  readonly status: number;
  readonly body: Problem & Readonly<Record<string, unknown>>;
  readonly fields: Readonly<Record<string, string>>;

  constructor(status: number, body: ApiError["body"], fields: ApiError["fields"] = {}) {
    super(body.error);
    this.name = "ApiError";
    this.status = status;
    this.body = body;
    this.fields = fields;
  }
}

export function invalid(field: string, message: string): ApiError {
  return new ApiError(400, field === "" ? { error: message } : { error: `${field}: ${message}`, field });
}

export function notFound(noun: string): ApiError {
  return new ApiError(404, { error: `${noun} not found`, code: "not_found" });
}

export function forbidden(error: string, hint?: string): ApiError {
  return new ApiError(403, { error, code: "forbidden", ...(hint === undefined ? {} : { hint }) });
}

export function conflict(error: string): ApiError {
  return new ApiError(409, { error, code: "conflict" });
}

export function tooMany(error: string, retryAfterSeconds: number): ApiError {
  return new ApiError(429, { error, code: "too_many" }, { "retry-after": String(retryAfterSeconds) });
}

export function requireRoom(count: number, max: number, noun: string): void {
  if (count >= max) throw conflict(`there are ${max} ${noun} already, which is the most this gateway keeps`);
}
