// TLS towards origins: which authorities are trusted, which sessions are resumed, and why a handshake failed.
import { X509Certificate } from "node:crypto";
import { type SecureContext, type TLSSocket, createSecureContext, getCACertificates } from "node:tls";
import { limits } from "../limits.ts";

/**
 * Created at the first call (reading the system's store takes about 0.1 s), then shared.
 * @throws Error when `extraCa` holds no certificate or one that can't be read: at once, not at the first call
 */
export function trustedContext(extraCa: string | null): () => SecureContext {
  const extra = extraCa === null ? [] : certificatesIn(extraCa);
  let context: SecureContext | undefined;
  return () => (context ??= createContext(extra));
}

/** Explicit in everything that the environment (NODE_OPTIONS, NODE_EXTRA_CA_CERTS) could loosen. */
function createContext(extra: readonly string[]): SecureContext {
  const ca = [...new Set([...getCACertificates("bundled"), ...getCACertificates("system"), ...extra])];
  return createSecureContext({ ca, minVersion: "TLSv1.2", maxVersion: "TLSv1.3", ciphers: CIPHERS });
}

/** Forward secrecy and authenticated encryption; security level 2 refuses RSA keys under 2048 bits and SHA-1. */
const CIPHERS = [
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
  "TLS_AES_128_GCM_SHA256",
  "ECDHE+AESGCM",
  "ECDHE+CHACHA20",
  "DHE+AESGCM",
  // What some older, otherwise sound origins still need.
  "ECDHE+AES",
  "RSA+AESGCM",
  "@SECLEVEL=2",
].join(":");

function certificatesIn(pem: string): string[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw new RangeError("the extra CA file holds no PEM certificate");
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block).toString();
    } catch (cause) {
      throw new RangeError(`certificate ${index + 1} of the extra CA file can't be read`, { cause });
    }
  });
}

export interface SessionCache {
  get(key: string): Buffer | undefined;
  /** Keeps the socket's sessions from now on; call it before the handshake. */
  keep(key: string, socket: TLSSocket): void;
  forget(key: string): void;
  readonly size: number;
}

/**
 * Bounded in number and age. Only sessions of verified connections are kept: a resumed one is not verified again.
 * @param now `ms`, monotonic
 */
export function createSessionCache(now: () => number): SessionCache {
  const sessions = new Map<string, { readonly session: Buffer; readonly until: number }>();
  const put = (key: string, session: Buffer, until: number) => {
    sessions.delete(key);
    sessions.set(key, { session, until });
    const oldest = sessions.size > limits.originSessionsMax ? sessions.keys().next().value : undefined;
    if (oldest !== undefined) sessions.delete(oldest);
  };
  return {
    get(key) {
      const found = sessions.get(key);
      if (found !== undefined && found.until > now()) return found.session;
      sessions.delete(key);
      return undefined;
    },
    keep(key, socket) {
      // A chain of resumed sessions must not outlive the one verification that it stands on.
      const verifiedUntil = sessions.get(key)?.until;
      const until = () =>
        socket.isSessionReused() && verifiedUntil !== undefined
          ? verifiedUntil
          : now() + limits.originSessionAgeMs;
      let early: Buffer | undefined;
      socket.on("session", (session) => {
        if (socket.authorized) put(key, session, until());
        else early = session;
      });
      socket.once("secureConnect", () => {
        if (socket.authorized && early !== undefined) put(key, early, until());
      });
    },
    forget: (key) => void sessions.delete(key),
    get size() {
      return sessions.size;
    },
  };
}

const REASONS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "its certificate has expired",
  CERT_NOT_YET_VALID: "its certificate is not valid yet",
  CERT_REVOKED: "its certificate was revoked",
  CERT_UNTRUSTED: "its certificate is not trusted",
  CERT_REJECTED: "its certificate is not trusted",
  CERT_SIGNATURE_FAILURE: "its certificate has a wrong signature",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is self-signed",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate was issued by an unknown authority",
  UNABLE_TO_GET_ISSUER_CERT: "its certificate was issued by an unknown authority",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its certificate was issued by an unknown authority",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate was issued by an unknown authority",
  INVALID_PURPOSE: "its certificate is not meant for servers",
  INVALID_CA: "its certificate was issued by something that is no authority",
  PATH_LENGTH_EXCEEDED: "its chain of certificates is too long",
  CERT_CHAIN_TOO_LONG: "its chain of certificates is too long",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another name",
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: "it speaks no TLS version from 1.2 on",
  ERR_SSL_UNSUPPORTED_PROTOCOL: "it speaks no TLS version from 1.2 on",
  ERR_SSL_WRONG_VERSION_NUMBER: "it does not speak TLS on this port",
  ERR_SSL_PACKET_LENGTH_TOO_LONG: "it does not speak TLS on this port",
  ERR_SSL_DH_KEY_TOO_SMALL: "its Diffie-Hellman key is too weak",
  ECONNRESET: "it closed the connection during the TLS handshake",
};

/** For the agent: says what is wrong with the origin, nothing about addresses or this machine. */
export function handshakeFailure(error: Partial<NodeJS.ErrnoException>): string {
  // Node has no codes for these: OpenSSL says "EE certificate key too weak", "CA signature digest algorithm too weak".
  if (error.message?.split(";")[0]?.endsWith("too weak") === true)
    return "its certificate or an authority's is too weak";
  return REASONS[error.code ?? ""] ?? "the TLS handshake failed";
}
