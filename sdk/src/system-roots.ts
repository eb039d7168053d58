// The trust store of this host, so that tools whose store is replaced by a variable keep the certificates they had.
import { readFile } from "node:fs/promises";

const candidates = [
  "/etc/ssl/cert.pem",
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
];

/** PEM text; undefined where the system keeps its roots elsewhere (Windows, minimal images) */
export async function systemRoots(): Promise<string | undefined> {
  for (const file of candidates) {
    const text = await readFile(file, "utf8").catch(() => "");
    if (text.includes("-----BEGIN CERTIFICATE-----")) return text;
  }
  return undefined;
}

/** The system's roots, then what the gateway sent. */
export function combinedBundle(roots: string, caCertificate: string): string {
  return `${roots.trimEnd()}\n${caCertificate.trimEnd()}\n`;
}

const certificatePattern = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/;

/** The gateway sends its own certificate first, then the public roots. */
export function firstCertificate(pem: string): string {
  return `${(certificatePattern.exec(pem)?.[0] ?? pem).trimEnd()}\n`;
}
