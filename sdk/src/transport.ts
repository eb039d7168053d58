// One HTTP exchange with the gateway's API: bounded in time and size, never redirected, errors made readable.
import { problem, type Problem } from "./contract/index.ts";
import { OneCLIError, OneCLIRequestError } from "./errors.ts";

export interface Connection {
  /** without a trailing slash */
  readonly url: string;
  readonly apiKey: string | undefined;
  readonly timeoutMs: number;
  readonly projectId: string | undefined;
}

export interface HttpRequest {
  readonly method: string;
  /** absolute */
  readonly url: string;
  readonly body?: unknown;
}

export interface CallOptions {
  readonly projectId?: string | undefined;
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** a page of 1,000 audit records is the largest answer there is */
export const RESPONSE_BYTES_MAX = 16 * 1024 * 1024;

/** The text of a 2xx answer; everything else is thrown. */
export async function exchange(
  connection: Connection,
  request: HttpRequest,
  options: CallOptions = {},
): Promise<string> {
  const { response, text } = await reach(request, () => send(connection, request, options));
  if (!response.ok) throw refused(request, response, text);
  return text;
}

async function send(connection: Connection, request: HttpRequest, options: CallOptions) {
  const response = await fetch(request.url, {
    method: request.method,
    headers: requestHeaders(connection, request, options),
    signal: deadline(connection, options),
    // The key must not travel to wherever an answer points.
    redirect: "manual",
    ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
  });
  return { response, text: await boundedText(response) };
}

function requestHeaders(connection: Connection, request: HttpRequest, options: CallOptions) {
  const headers: Record<string, string> = {};
  if (connection.apiKey !== undefined && connection.apiKey !== "")
    headers["authorization"] = `Bearer ${connection.apiKey}`;
  const projectId = options.projectId ?? connection.projectId;
  if (projectId !== undefined) headers["x-project-id"] = projectId;
  if (request.body !== undefined) headers["content-type"] = "application/json";
  return headers;
}

function deadline(connection: Connection, options: CallOptions): AbortSignal {
  const timeout = AbortSignal.timeout(options.timeoutMs ?? connection.timeoutMs);
  return options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal]);
}

async function boundedText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > RESPONSE_BYTES_MAX)
      throw new OneCLIError(`the answer is larger than ${RESPONSE_BYTES_MAX} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

async function reach<T>(request: HttpRequest, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof OneCLIError) throw error;
    throw unreachable(request, error);
  }
}

function unreachable(request: HttpRequest, error: unknown): OneCLIError {
  const origin = URL.canParse(request.url) ? new URL(request.url).origin : request.url;
  return new OneCLIError(`no answer from ${origin}: ${reasonOf(error)}`, {
    hint: 'is the gateway running there? "onecli gateway status" looks; ONECLI_URL says where',
    cause: error,
  });
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown failure";
  if (error.name === "TimeoutError") return "it took too long";
  const { cause } = error;
  if (!(cause instanceof Error)) return error.message;
  return "code" in cause && typeof cause.code === "string" ? cause.code : cause.message;
}

function refused(request: HttpRequest, response: Response, text: string): OneCLIRequestError {
  const said = parseProblem(text);
  const line = said?.error ?? (response.statusText === "" ? "refused" : response.statusText);
  return new OneCLIRequestError(`${line} (${response.status}, ${request.method} ${request.url})`, {
    url: request.url,
    statusCode: response.status,
    detail: line,
    code: said?.code,
    hint: said?.hint,
    field: said?.field,
  });
}

function parseProblem(text: string): Problem | undefined {
  try {
    return problem.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
