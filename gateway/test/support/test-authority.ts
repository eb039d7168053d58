// A certificate authority for tests: issues P-256 (or any other) certificates for names and addresses, good and bad ones.
// The ASN.1 is written by hand (X.690 DER, RFC 5280) so that the code under test and its tests share no X.509 library.
import { type KeyObject, X509Certificate, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { isIP } from "node:net";
import { addressBytes } from "./address-bytes.ts";

export interface IssuedCertificate {
  /** PEM */
  readonly cert: string;
  /** PEM, PKCS #8 */
  readonly key: string;
}

export interface IssueOptions {
  /** DNS names and addresses for subjectAltName */
  readonly names: readonly string[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly keys?: KeyPair;
  /** signed by its own key instead of the authority's */
  readonly selfSigned?: boolean;
}

export interface TestAuthority {
  /** PEM of the CA certificate */
  readonly ca: string;
  issue(options: IssueOptions): IssuedCertificate;
}

export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

let shared: TestAuthority | undefined;

/** The process's test authority; made at the first call. */
export function testAuthority(): TestAuthority {
  shared ??= createTestAuthority("Test authority");
  return shared;
}

/** Another authority, e.g. one that nobody trusts. */
export function createTestAuthority(commonName: string): TestAuthority {
  const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const issuer = { name: commonName, keys };
  const ca = certificate({ subject: commonName, issuer, keys, ...validity({}), extensions: caExtensions() });
  return { ca, issue: (options) => issue(issuer, options) };
}

interface Issuer {
  readonly name: string;
  readonly keys: KeyPair;
}

function issue(authority: Issuer, options: IssueOptions): IssuedCertificate {
  const keys = options.keys ?? generateKeyPairSync("ec", { namedCurve: "P-256" });
  const subject = options.names.find((name) => isIP(name) === 0) ?? "test origin";
  const issuer = options.selfSigned === true ? { name: subject, keys } : authority;
  const cert = certificate({
    subject,
    issuer,
    keys,
    ...validity(options),
    extensions: leafExtensions(options.names),
  });
  return { cert, key: keys.privateKey.export({ type: "pkcs8", format: "pem" }) };
}

const DAY_MS = 86_400_000;

function validity({ notBefore, notAfter }: Pick<IssueOptions, "notBefore" | "notAfter">) {
  return {
    notBefore: notBefore ?? new Date(Date.now() - DAY_MS),
    notAfter: notAfter ?? new Date(Date.now() + 30 * DAY_MS),
  };
}

interface Certificate {
  readonly subject: string;
  readonly issuer: Issuer;
  readonly keys: KeyPair;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly extensions: readonly Buffer[];
}

function certificate(content: Certificate): string {
  const algorithm = signatureAlgorithm(content.issuer.keys);
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    algorithm,
    distinguishedName(content.issuer.name),
    sequence(utcTime(content.notBefore), utcTime(content.notAfter)),
    distinguishedName(content.subject),
    content.keys.publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(...content.extensions)),
  );
  const signature = sign("sha256", body, content.issuer.keys.privateKey);
  return new X509Certificate(sequence(body, algorithm, bitString(signature))).toString();
}

function signatureAlgorithm({ privateKey }: KeyPair): Buffer {
  return privateKey.asymmetricKeyType === "rsa"
    ? sequence(oid("1.2.840.113549.1.1.11"), der(0x05))
    : sequence(oid("1.2.840.10045.4.3.2"));
}

function distinguishedName(commonName: string): Buffer {
  return sequence(der(0x31, sequence(oid("2.5.4.3"), der(0x0c, Buffer.from(commonName)))));
}

function caExtensions(): Buffer[] {
  return [extension("2.5.29.19", sequence(boolean(true))), extension("2.5.29.15", bitString([0x06], 1))];
}

function leafExtensions(names: readonly string[]): Buffer[] {
  const subjectAltNames = names.map((name) =>
    isIP(name) === 0 ? der(0x82, Buffer.from(name)) : der(0x87, addressBytes(name)),
  );
  return [extension("2.5.29.19", sequence()), extension("2.5.29.17", sequence(...subjectAltNames))];
}

function extension(id: string, value: Buffer): Buffer {
  return sequence(oid(id), der(0x04, value));
}

function utcTime(date: Date): Buffer {
  const digits = date
    .toISOString()
    .replaceAll(/[-:T]|\..*/g, "")
    .slice(2);
  return der(0x17, Buffer.from(`${digits}Z`));
}

function bitString(bytes: Buffer | readonly number[], unusedBits = 0): Buffer {
  return der(0x03, Buffer.from([unusedBits]), Buffer.from(bytes));
}

function boolean(value: boolean): Buffer {
  return der(0x01, Buffer.from([value ? 0xff : 0]));
}

function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  return der(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

function base128(value: number): number[] {
  const digits = [value & 0x7f];
  for (let rest = value >> 7; rest > 0; rest >>= 7) digits.unshift((rest & 0x7f) | 0x80);
  return digits;
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, ...parts);
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag, ...lengthOctets(content.length)]), content]);
}

function lengthOctets(length: number): number[] {
  if (length < 0x80) return [length];
  return length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
}
