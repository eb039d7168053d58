// Bytes of a client → Received, or a refusal. What Node's strict parser lets through and must not pass is refused
// here (RFC 9112 sections 3.2 and 6.1).
import type { IncomingMessage } from "node:http";
import { limits } from "../limits.ts";
import { formatAuthority, parseAuthority, sameAuthority } from "../target/authority.ts";
import type { Authority, Target } from "../target/contract.ts";
import { parseTarget } from "../target/path.ts";
import { fieldCount, fieldValue } from "./fields.ts";
import { namesTooMany } from "./judge.ts";
import type { Tunnel } from "./plane.ts";
import { malformed, type Refusal, refusal } from "./refusal.ts";

declare const receivedMark: unique symbol;

/** A request whose framing and target are beyond doubt. Made here only. */
export interface Received {
  readonly [receivedMark]: true;
  readonly request: IncomingMessage;
  readonly tunnel: Tunnel | null;
  readonly method: string;
  readonly secure: boolean;
  readonly authority: Authority;
  readonly target: Target;
  readonly hasBody: boolean;
  readonly expectsContinue: boolean;
  readonly isUpgrade: boolean;
}

interface Aim {
  readonly secure: boolean;
  readonly authority: Authority;
  readonly pathAndQuery: string;
}

const KNOWN_METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

export function receive(request: IncomingMessage, tunnel: Tunnel | null): Received | Refusal {
  const framing = framingProblem(request);
  if (framing !== null) return framing;
  const method = request.method ?? "";
  if (!KNOWN_METHODS.has(method)) {
    return refusal("method_not_supported", {
      message: `The method ${printable(method)} is not supported`,
      close: true,
    });
  }
  if (namesTooMany(request.rawHeaders)) return malformed("Too many fields name another method or path");
  const aim = tunnel === null ? absoluteAim(request) : tunnelAim(request, tunnel);
  if ("refused" in aim) return aim;
  const mismatch = hostProblem(request, aim);
  if (mismatch !== null) return mismatch;
  const target = parseTarget(aim.pathAndQuery);
  if (target === null) return refusal("bad_request", { message: "The path can't be read in one safe way" });
  return received(request, tunnel, aim, target);
}

function received(
  request: IncomingMessage,
  tunnel: Tunnel | null,
  aim: Aim,
  target: Target,
): Received | Refusal {
  const isUpgrade = fieldCount(request.rawHeaders, "upgrade") > 0;
  const hasBody =
    request.headers["transfer-encoding"] !== undefined || Number(request.headers["content-length"] ?? 0) > 0;
  if (isUpgrade) {
    const problem = upgradeProblem(request, hasBody);
    if (problem !== null) return problem;
  }
  return {
    request,
    tunnel,
    method: request.method,
    secure: aim.secure,
    authority: aim.authority,
    target,
    hasBody,
    // HTTP/1.0 knows neither the field nor the answer (RFC 9110 section 10.1.1).
    expectsContinue: request.httpVersion === "1.1" && request.headers.expect !== undefined,
    isUpgrade,
  } as Received;
}

function framingProblem(request: IncomingMessage): Refusal | null {
  const { rawHeaders, httpVersion } = request;
  if (httpVersion !== "1.1" && httpVersion !== "1.0")
    return malformed("Only HTTP/1.1 and HTTP/1.0 are spoken here");
  if (rawHeaders.length > limits.clientFieldsMax * 2) {
    return refusal("fields_too_large", {
      message: `More than ${limits.clientFieldsMax} fields`,
      close: true,
    });
  }
  const coding = fieldValue(rawHeaders, "transfer-encoding");
  if (coding !== undefined) {
    if (httpVersion === "1.0") return malformed("HTTP/1.0 has no Transfer-Encoding");
    if (coding.toLowerCase() !== "chunked" || fieldCount(rawHeaders, "transfer-encoding") > 1) {
      return malformed("The only transfer coding is chunked, once");
    }
    if (fieldCount(rawHeaders, "content-length") > 0)
      return malformed("Content-Length beside Transfer-Encoding");
  }
  if (fieldCount(rawHeaders, "content-length") > 1) return malformed("More than one Content-Length");
  if (fieldCount(rawHeaders, "expect") > 1) return malformed("More than one Expect");
  return null;
}

function hostProblem(request: IncomingMessage, aim: Aim): Refusal | null {
  const hosts = fieldCount(request.rawHeaders, "host");
  if (hosts !== 1) return malformed(hosts === 0 ? "The Host field is missing" : "More than one Host field");
  const written = fieldValue(request.rawHeaders, "host") ?? "";
  if (written === aim.authority.host && aim.authority.port === (aim.secure ? 443 : 80)) return null;
  const host = parseAuthority(written, aim.secure ? 443 : 80);
  if (host === null) return malformed("The Host field is not a host");
  // A client behind `CONNECT host:80` with TLS, or 443 without, leaves the port out by the scheme that it thinks of.
  if (sameAuthority(host, aim.authority)) return null;
  return mismatch(`Host ${formatAuthority(host)} is not ${formatAuthority(aim.authority)}`);
}

function tunnelAim(request: IncomingMessage, tunnel: Tunnel): Aim | Refusal {
  if (tunnel.misdirected) {
    return mismatch(`The TLS server name is not ${tunnel.authority.host}, which the tunnel was opened to`);
  }
  const url = request.url ?? "";
  if (!url.startsWith("/")) return malformed("Inside a tunnel the request target starts with /");
  return { secure: tunnel.protocol === "tls", authority: tunnel.authority, pathAndQuery: url };
}

const ABSOLUTE_FORM = /^(https?):\/\/([^/?#\\]*)([^#]*)$/i;

function absoluteAim(request: IncomingMessage): Aim | Refusal {
  const match = ABSOLUTE_FORM.exec(request.url ?? "");
  if (match === null)
    return malformed("The request target is neither a path nor an absolute http or https URL");
  const secure = match[1]?.toLowerCase() === "https";
  const authority = parseAuthority(match[2] ?? "", secure ? 443 : 80);
  if (authority === null) return malformed("The request target names no valid host");
  const rest = match[3] ?? "";
  return { secure, authority, pathAndQuery: rest.startsWith("/") ? rest : `/${rest}` };
}

function upgradeProblem(request: IncomingMessage, hasBody: boolean): Refusal | null {
  const protocol = fieldValue(request.rawHeaders, "upgrade") ?? "";
  if (fieldCount(request.rawHeaders, "upgrade") !== 1 || protocol.toLowerCase() !== "websocket") {
    return refusal("bad_request", { message: "The only protocol to upgrade to is websocket", close: true });
  }
  const { headers, httpVersion } = request;
  const isHandshake =
    request.method === "GET" &&
    httpVersion === "1.1" &&
    !hasBody &&
    headers["sec-websocket-version"] === "13" &&
    fieldCount(request.rawHeaders, "sec-websocket-key") === 1;
  return isHandshake ? null : malformed("Not a WebSocket handshake (RFC 6455 section 4.1)");
}

function mismatch(message: string): Refusal {
  return refusal("authority_mismatch", { message, close: true });
}

/** Names of the exchange's parts for records of refusals, from whatever the client sent. */
export function describe(
  request: IncomingMessage,
  tunnel: Tunnel | null,
): { method: string; authority: string; path: string } {
  const { authority, path } = aimed(request, tunnel);
  return {
    method: printable(request.method ?? "").slice(0, 32),
    // What stands before an @ may be a password.
    authority: printable(authority.slice(authority.lastIndexOf("@") + 1)).slice(0, 255),
    path: printable(path.split("?", 1)[0] ?? "").slice(0, 1024),
  };
}

function aimed(request: IncomingMessage, tunnel: Tunnel | null): { authority: string; path: string } {
  const url = request.url ?? "";
  if (tunnel !== null) return { authority: formatAuthority(tunnel.authority), path: url };
  if (request.method === "CONNECT") return { authority: url, path: "" };
  const [, , authority = "", path = url] = ABSOLUTE_FORM.exec(url) ?? [];
  return { authority, path };
}

function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "?");
}
