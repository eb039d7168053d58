// The closed list of refusals: code → status, RFC 9209 error type, whether a retry can help, sentence.

export interface RefusalKind {
  readonly status: number;
  /** RFC 9209 section 2.3 */
  readonly proxyStatus: string;
  /** false = the same request will be refused again: `x-should-retry: false` */
  readonly retry: boolean;
  readonly sentence: string;
}

export const refusalKinds = {
  bad_request: kind(400, "http_request_error", false, "The request is malformed"),
  blocked_by_policy: kind(403, "http_request_denied", false, "This call is blocked by a policy rule"),
  blocked_by_default_policy: kind(403, "http_request_denied", false, "No rule allows this call"),
  placeholder_not_injected: kind(403, "http_request_denied", false, "A fake key has no place on this route"),
  destination_not_allowed: kind(403, "destination_ip_prohibited", false, "This destination is not allowed"),
  request_timeout: kind(408, "http_request_error", true, "The request did not arrive in time"),
  body_too_large: kind(413, "http_request_error", false, "The body is too large"),
  expectation_failed: kind(
    417,
    "http_request_error",
    false,
    "Only the expectation 100-continue is supported",
  ),
  authority_mismatch: kind(421, "http_request_error", false, "Host, server name and tunnel do not agree"),
  rate_limited: kind(429, "http_request_denied", true, "The rate limit for this call is used up"),
  fields_too_large: kind(431, "http_request_error", false, "The header section is too large"),
  method_not_supported: kind(501, "http_request_error", false, "This method is not supported"),
  origin_unreachable: kind(502, "destination_unavailable", true, "The origin could not be reached"),
  origin_tls_error: kind(
    502,
    "tls_certificate_error",
    false,
    "The origin's certificate could not be verified",
  ),
  origin_protocol_error: kind(502, "http_protocol_error", true, "The origin's answer is not valid HTTP"),
  proxy_loop_detected: kind(502, "proxy_loop_detected", false, "The call came back to this gateway"),
  audit_unavailable: kind(
    503,
    "proxy_internal_error",
    true,
    "The call could not be recorded, so it was not made",
  ),
  policy_unavailable: kind(503, "proxy_internal_error", true, "A change of policy could not be loaded yet"),
  overloaded: kind(503, "connection_limit_reached", true, "The gateway is at its limit"),
  gateway_restarting: kind(503, "proxy_internal_response", true, "The gateway is restarting"),
  origin_timeout: kind(504, "http_response_timeout", true, "The origin did not answer in time"),
  proxy_internal_error: kind(500, "proxy_internal_error", false, "The gateway failed"),
} as const satisfies Record<string, RefusalKind>;

export type RefusalCode = keyof typeof refusalKinds;

/** A refusal is a value, not an exception: expected, answered, recorded. */
export interface Refusal {
  readonly refused: RefusalCode;
  /** for the agent: names hosts, rules and secrets, never values or inner addresses */
  readonly message: string;
  /** further members of the JSON body */
  readonly detail: Readonly<Record<string, unknown>>;
  readonly retryAfterSeconds: number | null;
  /** the connection can't be used again: its framing is in doubt */
  readonly close: boolean;
  /** name of the rule that refused */
  readonly rule: string | null;
}

export function refusal(code: RefusalCode, options: Partial<Omit<Refusal, "refused">> = {}): Refusal {
  return {
    refused: code,
    message: options.message ?? refusalKinds[code].sentence,
    detail: options.detail ?? {},
    retryAfterSeconds: options.retryAfterSeconds ?? null,
    close: options.close ?? false,
    rule: options.rule ?? null,
  };
}

export function malformed(message: string): Refusal {
  return refusal("bad_request", { message, close: true });
}

export function isRefusal(value: object): value is Refusal {
  return "refused" in value;
}

export interface RenderedRefusal {
  readonly status: number;
  readonly fields: string[];
  readonly body: string;
}

export function renderRefusal(refused: Refusal): RenderedRefusal {
  const { status, proxyStatus, retry } = refusalKinds[refused.refused];
  const body = JSON.stringify({ error: refused.refused, message: refused.message, ...refused.detail });
  const fields = [
    "Content-Type",
    "application/json",
    "Content-Length",
    String(Buffer.byteLength(body)),
    "Cache-Control",
    "no-store",
    "Proxy-Status",
    `onecli; error=${proxyStatus}`,
  ];
  if (!retry) fields.push("x-should-retry", "false");
  if (refused.retryAfterSeconds !== null) fields.push("Retry-After", String(refused.retryAfterSeconds));
  if (refused.close) fields.push("Connection", "close");
  return { status, fields, body };
}

function kind(status: number, proxyStatus: string, retry: boolean, sentence: string): RefusalKind {
  return { status, proxyStatus, retry, sentence };
}
