// CONNECT → a tunnel that we terminate ourselves (RFC 9110 section 9.3.6). Authenticated once; what is inside is served
// by the same pipeline as everything else. There is no raw tunnel.
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { limits } from "../limits.ts";
import type { Agent } from "../model.ts";
import { formatAuthority, parseAuthority, sameAuthority } from "../target/authority.ts";
import type { Authority } from "../target/contract.ts";
import { identify, presentedToken } from "./authenticate.ts";
import { fieldCount, fieldValue } from "./fields.ts";
import { intercept } from "./intercept.ts";
import type { DataPlane, Tunnel } from "./plane.ts";
import { portProblem } from "./port.ts";
import { isRefusal, malformed, type Refusal, refusal, renderRefusal } from "./refusal.ts";
import { CHALLENGE, challenged, recordRefusal, sourceOf, writeRaw } from "./reply.ts";

const ESTABLISHED = "HTTP/1.1 200 Connection Established\r\n\r\n";

export function connect(plane: DataPlane, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  socket.on("error", () => socket.destroy());
  const opening: Opening = { plane, request, socket, tunnel: null };
  const authority = target(request);
  if (isRefusal(authority)) return refuseConnect(opening, authority);
  const tokenHash = presentedToken(request.rawHeaders);
  const identity = tokenHash === null ? null : identify(plane, tokenHash);
  if (identity === null || tokenHash === null) return challengeConnect(opening);
  const problem = tunnelProblem(plane, authority, identity.agent.id);
  if (problem !== null) return refuseConnect({ ...opening, agent: identity.agent }, problem);
  const tunnel: Tunnel = {
    authority,
    tokenHash,
    source: sourceOf(request.socket),
    identity,
    socket,
    protocol: null,
    misdirected: false,
    route: null,
    routeRevision: -1,
  };
  plane.traffic.tunnels += 1;
  plane.live.addTunnel(tunnel);
  socket.once("close", () => plane.live.removeTunnel(tunnel));
  socket.write(ESTABLISHED);
  intercept(plane, tunnel, socket, head);
}

function target(request: IncomingMessage): Authority | Refusal {
  const { rawHeaders, httpVersion } = request;
  if (httpVersion !== "1.1" && httpVersion !== "1.0")
    return malformed("Only HTTP/1.1 and HTTP/1.0 are spoken here");
  if (fieldCount(rawHeaders, "content-length") > 0 || fieldCount(rawHeaders, "transfer-encoding") > 0) {
    return malformed("CONNECT has no body");
  }
  const authority = parseAuthority(request.url ?? "", null);
  if (authority === null) return malformed("CONNECT needs host:port");
  return hostProblem(request, authority) ?? authority;
}

/** RFC 9112 section 3.2: the target once more, in every request but those of HTTP/1.0. */
function hostProblem({ rawHeaders, httpVersion }: IncomingMessage, authority: Authority): Refusal | null {
  const hosts = fieldCount(rawHeaders, "host");
  if (hosts === 0 && httpVersion === "1.0") return null;
  if (hosts !== 1) return malformed(hosts === 0 ? "The Host field is missing" : "More than one Host field");
  // Without a port clients mean the one in the target, whatever the scheme's is.
  const host = parseAuthority(fieldValue(rawHeaders, "host") ?? "", authority.port);
  if (host === null) return malformed("The Host field is not a host");
  if (sameAuthority(host, authority)) return null;
  const message = `Host ${formatAuthority(host)} is not ${formatAuthority(authority)}`;
  return refusal("authority_mismatch", { message, close: true });
}

function tunnelProblem(plane: DataPlane, authority: Authority, agentId: string): Refusal | null {
  if (plane.stopping) return refusal("gateway_restarting", { retryAfterSeconds: 1, close: true });
  const closed = portProblem(plane, authority);
  if (closed !== null || plane.live.mayOpenTunnel(agentId)) return closed;
  return refusal("overloaded", {
    message: `More than ${limits.tunnelsPerAgentMax} tunnels of one agent, or ${limits.tunnelsMax} in all`,
    retryAfterSeconds: 1,
    close: true,
  });
}

interface Opening {
  readonly plane: DataPlane;
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** the one around it: CONNECT inside a tunnel */
  readonly tunnel: Tunnel | null;
  readonly agent?: Agent;
}

export function refuseConnect({ plane, request, socket, tunnel, agent }: Opening, refused: Refusal): void {
  recordRefusal({ plane, request, tunnel, agent: agent ?? tunnel?.identity.agent ?? null }, refused);
  const { status, fields, body } = renderRefusal({ ...refused, close: true });
  writeRaw(socket, status, fields, body);
}

function challengeConnect({ plane, request, socket }: Opening): void {
  const fields = ["Proxy-Authenticate", CHALLENGE, "Content-Length", "0", "Connection", "close"];
  challenged(plane, request, () => writeRaw(socket, 407, fields));
}
