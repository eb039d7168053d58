import type { SecureContext } from "node:tls";

export interface CertificateAuthority {
  /** PEM of the CA certificate */
  readonly certificate: string;
  /** TLS context with a leaf certificate for a name or address; cached, minted once for concurrent callers. */
  secureContext(serverName: string): SecureContext;
  /** entries in the leaf cache */
  readonly cachedLeaves: number;
}
