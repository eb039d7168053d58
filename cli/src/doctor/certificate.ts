// The gateway's CA certificate: is it one, and is it in force?
import { X509Certificate } from "node:crypto";
import { type Finding, failed, ok } from "./report.ts";

export function caFinding(pem: string, now: number): Finding {
  const certificate = parse(pem);
  const restart = "restart the gateway, and look at its log";
  if (certificate === undefined) return failed("CA", "the gateway's answer is not a certificate", restart);
  if (!certificate.ca) return failed("CA", "the certificate may not sign others", restart);
  if (now < Date.parse(certificate.validFrom) || now > Date.parse(certificate.validTo)) {
    const period = `${certificate.validFrom} to ${certificate.validTo}`;
    return failed(
      "CA",
      `in force from ${period}, which is not now`,
      "set this host's clock, or renew the CA",
    );
  }
  return ok("CA", `in force until ${certificate.validTo}`);
}

function parse(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}
