// What is inside a tunnel: the first byte tells TLS from plain HTTP; TLS ends here, in process, on the tunnel's own
// socket. HTTP/2 joins where ALPN is answered.
import type net from "node:net";
import tls from "node:tls";
import type { Duplex } from "node:stream";
import { limits } from "../limits.ts";
import { parseAuthority } from "../target/authority.ts";
import type { DataPlane, Tunnel } from "./plane.ts";

/** RFC 8446 section 5.1: content type `handshake` */
const TLS_HANDSHAKE = 0x16;
const tunnels = new WeakMap<Duplex, Tunnel>();

/** The tunnel that a socket of the inner server belongs to. */
export function tunnelOf(socket: Duplex): Tunnel | undefined {
  return tunnels.get(socket);
}

export function intercept(plane: DataPlane, tunnel: Tunnel, socket: Duplex, head: Buffer): void {
  const timer = setTimeout(() => socket.destroy(), limits.clientFirstByteTimeoutMs).unref();
  const leave = () => socket.destroy();
  socket.once("end", leave);
  if (head.length > 0) socket.unshift(head);
  socket.once("data", (first: Buffer) => {
    clearTimeout(timer);
    socket.removeListener("end", leave);
    socket.pause();
    socket.unshift(first);
    if (first[0] === TLS_HANDSHAKE) terminateTls(plane, tunnel, socket as net.Socket);
    else if (isUpperCaseLetter(first[0])) hand(plane, tunnel, socket, "plain");
    else socket.destroy();
  });
  socket.once("close", () => clearTimeout(timer));
}

function terminateTls(plane: DataPlane, tunnel: Tunnel, socket: net.Socket): void {
  const { host } = tunnel.authority;
  const secure = new tls.TLSSocket(socket, {
    isServer: true,
    secureContext: plane.authority.secureContext(host),
    ALPNProtocols: ["http/1.1"],
    // Absent for addresses. Another name than the tunnel's gets its certificate, and 421 to every request.
    SNICallback: (serverName, done) => {
      if (sameName(serverName, host)) return done(null);
      tunnel.misdirected = true;
      const named = parseAuthority(serverName, 443);
      if (named === null) return done(new Error("bad server name"));
      done(null, plane.authority.secureContext(named.host));
    },
  });
  const timer = setTimeout(() => secure.destroy(), limits.clientHandshakeTimeoutMs).unref();
  secure.once("secure", () => {
    clearTimeout(timer);
    hand(plane, tunnel, secure, "tls");
  });
  secure.once("error", () => secure.destroy());
  secure.once("close", () => {
    clearTimeout(timer);
    socket.destroy();
  });
}

function hand(plane: DataPlane, tunnel: Tunnel, socket: Duplex, protocol: "tls" | "plain"): void {
  tunnel.protocol = protocol;
  tunnel.socket = socket;
  tunnels.set(socket, tunnel);
  plane.inner.emit("connection", socket);
  // Paused by the look at the first byte; a paused socket does not start to flow by itself.
  if (protocol === "plain") socket.resume();
}

function sameName(serverName: string, host: string): boolean {
  if (serverName === host) return true;
  const lower = serverName.toLowerCase();
  return lower === host || lower === `${host}.`;
}

/** Every HTTP method starts with one (RFC 9110 section 16.1). */
function isUpperCaseLetter(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x41 && byte <= 0x5a;
}
