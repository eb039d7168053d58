// Which names and pages may talk to the API: the answer to DNS rebinding and cross-site requests.
import { ApiError, forbidden } from "./problem.ts";

/** @throws ApiError 421 when the Host field is not one of ours, 403 when another site's page sends the request */
export function checkHost(fields: Headers, allowedHosts: readonly string[]): string {
  const host = fields.get("host")?.toLowerCase() ?? "";
  if (!allowedHosts.some((allowed) => allowed.toLowerCase() === nameOf(host))) throw misdirected();
  checkOrigin(fields.get("origin"), host);
  return host;
}

/** The name without port and trailing dot; an IPv6 address keeps its brackets. Empty when it is neither. */
function nameOf(host: string): string {
  const [, name = ""] = /^(\[[0-9a-f:.]+\]|[a-z0-9_.-]+?)\.?(?::[0-9]{1,5})?$/.exec(host) ?? [];
  return name;
}

/** RFC 9110 section 15.5.20. */
function misdirected(): ApiError {
  const hint = "add the name to ONECLI_ALLOWED_HOSTS if the gateway should answer under it";
  return new ApiError(421, {
    error: "this gateway does not answer under that Host",
    code: "misdirected",
    hint,
  });
}

function checkOrigin(origin: string | null, host: string): void {
  if (origin === null) return;
  const isOwn = [`http://${host}`, `https://${host}`].includes(origin.toLowerCase());
  if (!isOwn) throw forbidden("requests from other sites are refused");
}
