import { execFile, execFileSync } from "node:child_process";
import { X509Certificate, createPrivateKey, generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import net, { type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setImmediate } from "node:timers/promises";
import tls from "node:tls";
import { promisify } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import { MEBI, limits } from "../limits.ts";
import { temporaryStore } from "../store/testing.ts";
import { openVault } from "../vault/vault.ts";
import { openAuthority } from "./authority.ts";
import { distinguishedName, publicKeyOf, signedCertificate, toPem } from "./certificate.ts";
import type { CertificateAuthority } from "./contract.ts";
import { leafExtensions } from "./extensions.ts";
import { loadIssuer } from "./issuer.ts";
import { mintLeaf, newLeafKey } from "./leaf.ts";

const DAY_MS = 86_400_000;
const KEK = { masterKey: "00112233445566778899aabbccddeeff".repeat(2), dataDir: "/nowhere" };

async function installation({ leafCacheEntriesMax = 1000 } = {}) {
  const store = await temporaryStore();
  const time = { now: Date.now() };
  const clock = () => time.now;
  const vault = await openVault({ store, kek: KEK, clock });
  const open = () => openAuthority({ store, vault, clock, leafCacheEntriesMax });
  const issuer = () => loadIssuer({ store, vault, clock });
  return { store, vault, time, open, issuer, authority: await open() };
}

/** What the gateway does with an intercepted connection. */
async function serve(authority: CertificateAuthority, serverName: string): Promise<number> {
  const server = net.createServer((socket) => {
    const secureContext = authority.secureContext(serverName);
    const secured = new tls.TLSSocket(socket, { isServer: true, secureContext });
    secured.on("error", () => socket.destroy());
    secured.on("data", (data) => secured.end(data));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

interface Handshake {
  readonly port: number;
  readonly ca: string;
  readonly name: string;
  readonly options?: tls.ConnectionOptions;
}

async function handshake({ port, ca, name, options = {} }: Handshake) {
  const servername = net.isIP(name) === 0 ? { servername: name } : {};
  const socket = tls.connect({ port, ca, host: "127.0.0.1", ...servername, ...options });
  let session: Buffer | undefined;
  socket.on("session", (data) => (session = data));
  await once(socket, "secureConnect");
  socket.write("ping");
  const [data] = (await once(socket, "data")) as [Buffer];
  expect(data.toString()).toBe("ping");
  const certificate = socket.getPeerX509Certificate()!;
  const isReused = socket.isSessionReused();
  if (!socket.closed) await once(socket, "close");
  return { certificate, isReused, session };
}

function temporaryFile(name: string, text: string): string {
  const directory = mkdtempSync(path.join(tmpdir(), "authority-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = path.join(directory, name);
  writeFileSync(file, text);
  return file;
}

describe("the first opening", () => {
  test("makes an authority that later ones load", async () => {
    const { open, authority } = await installation();
    expect((await open()).certificate).toBe(authority.certificate);
  });

  test("makes one that is told apart from another installation's", async () => {
    const [one, other] = [await installation(), await installation()];
    const subject = (ca: CertificateAuthority) => new X509Certificate(ca.certificate).subject;
    expect(subject(one.authority)).toMatch(/^O=OneCLI\nCN=OneCLI Gateway CA [0-9a-f]{6}$/);
    expect(subject(one.authority)).not.toBe(subject(other.authority));
  });

  test("seals the key: the store holds none that can be read", async () => {
    const { store } = await installation();
    const { keySealed, certificate } = store.authority.get()!;
    expect(certificate).not.toContain("PRIVATE");
    for (let start = 0; start < keySealed.length; start += 1) {
      const key = Buffer.from(keySealed.subarray(start));
      expect(() => createPrivateKey({ key, format: "der", type: "pkcs8" })).toThrow();
    }
  });

  test("is repeatable after the keys were rotated", async () => {
    const { vault, open, authority } = await installation();
    expect(await vault.rotate()).toMatchObject({ reencrypted: 1 });
    expect((await open()).certificate).toBe(authority.certificate);
  });
});

describe("a stored authority", () => {
  test.each<[string, (certificate: string) => string]>([
    ["that is another's certificate", () => otherCertificate()],
    ["that is no certificate", () => "-----BEGIN NOTHING-----"],
  ])("%s is refused", async (_, replaced) => {
    const { store, open } = await installation();
    const row = store.authority.get()!;
    const authority = { get: () => ({ ...row, certificate: replaced(row.certificate) }), insert() {} };
    const vault = await openVault({ store, kek: KEK, clock: Date.now });
    const opening = openAuthority({ store: { ...store, authority }, vault, clock: Date.now });
    await expect(opening).rejects.toThrow(expect.objectContaining({ code: "damaged" }));
    expect((await open()).certificate).toBe(row.certificate);
  });

  test("whose key was moved from another row is refused", async () => {
    const { store } = await installation();
    const row = store.authority.get()!;
    const authority = { get: () => ({ ...row, id: "another" }), insert() {} };
    const vault = await openVault({ store, kek: KEK, clock: Date.now });
    const opening = openAuthority({ store: { ...store, authority }, vault, clock: Date.now });
    await expect(opening).rejects.toThrow(expect.objectContaining({ code: "cannot_open" }));
  });

  test("that has expired is refused, and one day before it is not", async () => {
    const { time, open, authority } = await installation();
    const { validToDate } = new X509Certificate(authority.certificate);
    time.now = validToDate.getTime() - DAY_MS;
    const last = await open();
    expect(last.secureContext("a.test")).toBe(last.secureContext("a.test"));
    time.now = validToDate.getTime();
    expect(() => last.secureContext("a.test")).toThrow(expect.objectContaining({ code: "expired" }));
    await expect(open()).rejects.toThrow(expect.objectContaining({ code: "expired" }));
  });
});

describe("a TLS client that trusts the authority", () => {
  const LONG = `${"a".repeat(60)}.${"b".repeat(60)}.test`;

  test.each([
    ["a name", "api.example.com", "DNS:api.example.com"],
    ["a name with an underscore", "a_b.example.com", "DNS:a_b.example.com"],
    ["a name longer than a common name", LONG, `DNS:${LONG}`],
    ["an IPv4 address", "192.0.2.7", "IP Address:192.0.2.7"],
    ["an IPv6 address", "2001:db8::7", "IP Address:2001:DB8:0:0:0:0:0:7"],
  ])("accepts the leaf for %s", async (_, name, subjectAltName) => {
    const { authority } = await installation();
    const port = await serve(authority, name);
    const checkServerIdentity = (_host: string, peer: tls.PeerCertificate) =>
      tls.checkServerIdentity(name, peer);
    const options = { checkServerIdentity };
    const { certificate } = await handshake({ port, ca: authority.certificate, name, options });
    expect(certificate.subjectAltName).toBe(subjectAltName);
    expect(certificate.serialNumber).toMatch(/^[4-7][0-9A-F]{31}$/);
  });

  test("does not accept it for another name", async () => {
    const { authority } = await installation();
    const port = await serve(authority, "api.example.com");
    const connecting = handshake({ port, ca: authority.certificate, name: "other.example.com" });
    await expect(connecting).rejects.toThrow(
      expect.objectContaining({ code: "ERR_TLS_CERT_ALTNAME_INVALID" }),
    );
  });

  test("does not accept another installation's leaf", async () => {
    const [one, other] = [await installation(), await installation()];
    const port = await serve(one.authority, "a.test");
    const connecting = handshake({ port, ca: other.authority.certificate, name: "a.test" });
    await expect(connecting).rejects.toThrow(/self.signed|unable to verify/i);
  });

  test.each(["TLSv1.2", "TLSv1.3"] as const)(
    "resumes its %s session, also after the context was evicted",
    async (maxVersion) => {
      const { authority } = await installation({ leafCacheEntriesMax: 1 });
      const port = await serve(authority, "a.test");
      const to = { port, ca: authority.certificate, name: "a.test" };
      const first = await handshake({ ...to, options: { maxVersion } });
      expect(first.isReused).toBe(false);
      authority.secureContext("b.test");
      const second = await handshake({ ...to, options: { maxVersion, session: first.session! } });
      expect(second.isReused).toBe(true);
    },
  );

  test("can't use less than TLS 1.2", async () => {
    const { authority } = await installation();
    const port = await serve(authority, "a.test");
    const options = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } as const;
    await expect(handshake({ port, ca: authority.certificate, name: "a.test", options })).rejects.toThrow();
  });
});

describe("openssl in strict mode", () => {
  async function files(name: string) {
    const { issuer } = await installation();
    const ca = issuer();
    const leaf = mintLeaf(ca, newLeafKey(), name, Date.now());
    return {
      ca: temporaryFile("ca.pem", ca.certificate),
      leaf: temporaryFile("leaf.pem", leaf.chain.slice(0, leaf.chain.indexOf("-----END") + 26)),
    };
  }

  const verify = (ca: string, leaf: string, ...more: string[]) =>
    execFileSync("openssl", ["verify", "-x509_strict", "-check_ss_sig", "-CAfile", ca, ...more, leaf], {
      stdio: "pipe",
      encoding: "utf8",
    });

  test.each([
    ["a.test", "-verify_hostname"],
    [`${"a".repeat(63)}.test`, "-verify_hostname"],
    ["192.0.2.7", "-verify_ip"],
    ["2001:db8::7", "-verify_ip"],
  ])("accepts %s as a server and not as a client", async (name, option) => {
    const { ca, leaf } = await files(name);
    expect(verify(ca, leaf, "-purpose", "sslserver", option, name)).toContain("OK");
    expect(() => verify(ca, leaf, "-purpose", "sslclient")).toThrow(/purpose/);
    expect(() => verify(ca, leaf, "-purpose", "smimesign")).toThrow(/purpose/);
  });

  test("shows an authority that signs server certificates and no further authority", async () => {
    const { ca } = await files("a.test");
    const text = execFileSync("openssl", ["x509", "-in", ca, "-noout", "-text"], { encoding: "utf8" });
    for (const line of [
      /Version: 3 /,
      /Signature Algorithm: ecdsa-with-SHA256/,
      /Basic Constraints: critical\s+CA:TRUE, pathlen:0/,
      /Key Usage: critical\s+Certificate Sign, CRL Sign\n/,
      /Extended Key Usage: \n\s+TLS Web Server Authentication\n/,
      /Subject Key Identifier:/,
      /ASN1 OID: prime256v1/,
    ]) {
      expect(text).toMatch(line);
    }
    expect(text).not.toMatch(/Name Constraints/);
  });

  test("shows a leaf that signs nothing but handshakes", async () => {
    const { leaf } = await files("a.test");
    const text = execFileSync("openssl", ["x509", "-in", leaf, "-noout", "-text"], { encoding: "utf8" });
    for (const line of [
      /Basic Constraints: critical\s+CA:FALSE/,
      /Key Usage: critical\s+Digital Signature\n/,
      /Extended Key Usage: \n\s+TLS Web Server Authentication\n/,
      /Authority Key Identifier:/,
      /Subject Key Identifier:/,
      /Subject Alternative Name: \n\s+DNS:a.test\n/,
    ]) {
      expect(text).toMatch(line);
    }
  });

  test("does not accept a certificate that a leaf signed", async () => {
    const { issuer } = await installation();
    const ca = issuer();
    const key = newLeafKey();
    const leaf = mintLeaf(ca, key, "leaf.test", Date.now());
    const below = {
      ...ca,
      name: distinguishedName({ commonName: "leaf.test" }),
      keyIdentifier: key.publicKey.identifier,
    };
    const forged = mintLeaf(
      { ...below, key: createPrivateKey(key.privateKey) },
      key,
      "forged.test",
      Date.now(),
    );
    const [caFile, chain] = [temporaryFile("ca.pem", ca.certificate), temporaryFile("chain.pem", leaf.chain)];
    const file = temporaryFile("forged.pem", forged.chain);
    expect(() => verify(caFile, file, "-untrusted", chain)).toThrow(/invalid CA certificate/);
    expect(verify(caFile, chain)).toContain("OK");
  });
});

describe("Python's ssl in strict mode", () => {
  test.each(["a.test", `${"a".repeat(63)}.test`, "192.0.2.7", "2001:db8::7"])("accepts %s", async (name) => {
    const { authority } = await installation();
    const port = await serve(authority, name);
    const script = `
import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[1])
context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
with context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[2]))), server_hostname=sys.argv[3]) as s:
    s.sendall(b"ping"); print(s.recv(4).decode())
`;
    const args = ["-c", script, temporaryFile("ca.pem", authority.certificate), String(port), name];
    expect((await promisify(execFile)("python3", args)).stdout).toBe("ping\n");
  });
});

describe("the leaf cache", () => {
  test("gives the same context for one name in any spelling, and another for another", async () => {
    const { authority } = await installation();
    const context = authority.secureContext("api.example.com");
    expect(authority.secureContext("API.Example.com.")).toBe(context);
    expect(authority.secureContext("2001:db8::1")).toBe(authority.secureContext("2001:0DB8:0:0::1"));
    expect(authority.secureContext("b.example.com")).not.toBe(context);
    expect(authority.cachedLeaves).toBe(3);
  });

  test("stays within its bound and evicts what was not used for longest", async () => {
    const { authority } = await installation({ leafCacheEntriesMax: 10 });
    const used = authority.secureContext("used.test");
    for (let i = 0; i < 200; i += 1) {
      authority.secureContext(`host-${i}.test`);
      expect(authority.secureContext("used.test")).toBe(used);
      expect(authority.cachedLeaves).toBeLessThanOrEqual(10);
    }
  });

  test("gives evicted contexts back: thousands of names cost no more memory than the cache", async () => {
    const { authority } = await installation({ leafCacheEntriesMax: 500 });
    const ask = async (count: number, prefix: string) => {
      for (let i = 0; i < count; i += 1) {
        authority.secureContext(`${prefix}${i}.test`);
        if (i % 50 === 0) await setImmediate();
      }
      return process.memoryUsage().rss;
    };
    const before = await ask(1000, "a");
    expect((await ask(5000, "b")) - before).toBeLessThan(130 * MEBI);
  });

  test("renews a leaf a day before it ends, not earlier", async () => {
    const { authority, time } = await installation();
    const start = time.now;
    const context = authority.secureContext("a.test");
    time.now = start + limits.leafLifetimeMs - limits.leafRenewBeforeMs - 2 * 3_600_000;
    expect(authority.secureContext("a.test")).toBe(context);
    time.now = start + limits.leafLifetimeMs - limits.leafRenewBeforeMs;
    expect(authority.secureContext("a.test")).not.toBe(context);
  });

  test("renews a leaf that begins later than a clock that was set back", async () => {
    const { authority, time } = await installation();
    const context = authority.secureContext("a.test");
    time.now -= 2 * 3_600_000;
    expect(authority.secureContext("a.test")).not.toBe(context);
  });
});

describe("a leaf", () => {
  test("begins an hour back and lives at most a week", async () => {
    const { issuer } = await installation();
    const now = Date.now() + DAY_MS;
    const leaf = mintLeaf(issuer(), newLeafKey(), "a.test", now);
    const { validFromDate, validToDate } = new X509Certificate(leaf.chain);
    expect(now - validFromDate.getTime()).toBeCloseTo(3_600_000, -4);
    expect(validToDate.getTime() - validFromDate.getTime()).toBe(limits.leafLifetimeMs);
  });

  test("never outlives its issuer", async () => {
    const { issuer } = await installation();
    const ca = issuer();
    const leaf = mintLeaf(ca, newLeafKey(), "a.test", ca.notAfter - DAY_MS);
    expect(new X509Certificate(leaf.chain).validToDate.getTime()).toBe(ca.notAfter);
  });

  test("has a serial number of its own", async () => {
    const { issuer } = await installation();
    const [ca, key] = [issuer(), newLeafKey()];
    const serials = Array.from({ length: 50 }, () => mintLeaf(ca, key, "a.test", Date.now()).chain).map(
      (chain) => new X509Certificate(chain).serialNumber,
    );
    expect(new Set(serials).size).toBe(50);
  });

  test("is well formed for any key, also one whose point looks like nested ASN.1", async () => {
    const { issuer } = await installation();
    const ca = issuer();
    for (let i = 0; i < 600; i += 1) {
      const key = newLeafKey();
      const certificate = new X509Certificate(mintLeaf(ca, key, "a.test", Date.now()).chain);
      expect(certificate.checkPrivateKey(createPrivateKey(key.privateKey))).toBe(true);
    }
  });

  test("is dated with four digits of the year from 2050 on", async () => {
    const { issuer } = await installation();
    const ca = { ...issuer(), notAfter: Date.UTC(2060, 0) };
    const leaf = mintLeaf(ca, newLeafKey(), "a.test", Date.UTC(2049, 11, 30));
    const { validFromDate, validToDate } = new X509Certificate(leaf.chain);
    expect([validFromDate.getUTCFullYear(), validToDate.getUTCFullYear()]).toEqual([2049, 2050]);
  });
});

/** Signed by a key that nobody keeps. */
function otherCertificate(): string {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const name = distinguishedName({ commonName: "other" });
  const key = publicKeyOf(publicKey);
  const identity = { serverName: "other", hasSubject: true, keyIdentifier: key.identifier };
  const extensions = leafExtensions({ ...identity, authorityKeyIdentifier: key.identifier });
  const dates = { notBefore: Date.now() - DAY_MS, notAfter: Date.now() + DAY_MS };
  return toPem(
    signedCertificate({ issuer: name, subject: name, ...dates, publicKey: key, extensions }, privateKey),
  );
}
