// CONNECT → a tunnel that we terminate ourselves (RFC 9110 section 9.3.6). Authenticated once; what is inside is served
// by the same pipeline as everything else. There is no raw tunnel.
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { limits } from "../limits.ts";
import { formatAuthority, parseAuthority } from "../target/authority.ts";
import type { Authority } from "../target/contract.ts";
import { identify, presentedToken } from "./authenticate.ts";
import { fieldCount } from "./fields.ts";
import { intercept } from "./intercept.ts";
import type { DataPlane, Tunnel } from "./plane.ts";
import { isRefusal, malformed, type Refusal, refusal, renderRefusal } from "./refusal.ts";
import { CHALLENGE, recordRefusal, sourceOf, writeRaw } from "./reply.ts";

const ESTABLISHED = "HTTP/1.1 200 Connection Established\r\n\r\n";

export function connect(plane: DataPlane, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  socket.on("error", () => socket.destroy());
  const authority = target(request);
  if (isRefusal(authority)) return refuseConnect(plane, request, socket, authority);
  const tokenHash = presentedToken(request.rawHeaders);
  const identity = tokenHash === null ? null : identify(plane, tokenHash);
  if (identity === null || tokenHash === null) return challengeConnect(plane, request, socket);
  const problem = tunnelProblem(plane, authority, identity.agent.id);
  if (problem !== null) return refuseConnect(plane, request, socket, problem);
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
  if (fieldCount(rawHeaders, "host") > 1) return malformed("More than one Host field");
  return parseAuthority(request.url ?? "", null) ?? malformed("CONNECT needs host:port");
}

function tunnelProblem(plane: DataPlane, authority: Authority, agentId: string): Refusal | null {
  if (plane.stopping) return refusal("gateway_restarting", { retryAfterSeconds: 1, close: true });
  const { port } = authority;
  if (!plane.settings.allowedPorts.has(port) && !plane.policy.current.namedPorts.has(port)) {
    return refusal("destination_not_allowed", {
      message: `Port ${port} is not open to agents: a secret, a rule or ONECLI_ALLOW_PORTS must name it`,
      detail: { host: formatAuthority(authority) },
      close: true,
    });
  }
  if (plane.live.mayOpenTunnel(agentId)) return null;
  return refusal("overloaded", {
    message: `More than ${limits.tunnelsPerAgentMax} tunnels of one agent, or ${limits.tunnelsMax} in all`,
    retryAfterSeconds: 1,
    close: true,
  });
}

export function refuseConnect(
  plane: DataPlane,
  request: IncomingMessage,
  socket: Duplex,
  refused: Refusal,
): void {
  const { status, fields, body } = renderRefusal({ ...refused, close: true });
  writeRaw(socket, status, fields, body);
  recordRefusal({ plane, request, tunnel: null, agent: null }, refused);
}

function challengeConnect(plane: DataPlane, request: IncomingMessage, socket: Duplex): void {
  plane.traffic.challenges += 1;
  plane.audit.challenge(sourceOf(request.socket));
  writeRaw(socket, 407, ["Proxy-Authenticate", CHALLENGE, "Content-Length", "0", "Connection", "close"]);
}
