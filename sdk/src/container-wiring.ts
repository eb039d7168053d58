// What a container needs to call through the gateway, worked out once; docker arguments and dockerode options are
// two ways to write it down.
import path from "node:path";
import type { ContainerConfig } from "./contract/index.ts";
import { OneCLIError } from "./errors.ts";
import { privateFile } from "./private-files.ts";
import { combinedBundle, systemRoots } from "./system-roots.ts";

export interface WiringOptions {
  /** also give tools that replace the trust store a bundle with this host's roots; default true */
  readonly combineCaBundle?: boolean | undefined;
  /** map `host.docker.internal` to the host where Docker does not (Linux); default true */
  readonly addHostMapping?: boolean | undefined;
}

export interface Mount {
  /** on the host */
  readonly source: string;
  readonly target: string;
}

export interface Wiring {
  readonly env: readonly (readonly [name: string, value: string])[];
  readonly ca: Mount;
  readonly bundle: Mount | undefined;
  readonly stubs: readonly Mount[];
  /** `name:address` */
  readonly extraHost: string | undefined;
}

export const BUNDLE_CONTAINER_PATH = "/tmp/onecli-combined-ca.pem";
/** variables that the bundle answers for besides those the gateway sent */
export const bundleVariables = ["SSL_CERT_FILE", "DENO_CERT"] as const;

export async function wireContainer(
  config: ContainerConfig,
  directory: string,
  options: WiringOptions = {},
): Promise<Wiring> {
  const env = Object.entries(config.env).map(checkedVariable);
  return {
    env,
    ca: await mounted(directory, config.caCertificateContainerPath, {
      name: "gateway-ca.pem",
      content: config.caCertificate,
    }),
    bundle: options.combineCaBundle === false ? undefined : await bundleMount(directory, config),
    stubs: await stubMounts(directory, config),
    extraHost: needsHostMapping(options) ? "host.docker.internal:host-gateway" : undefined,
  };
}

async function bundleMount(directory: string, config: ContainerConfig): Promise<Mount | undefined> {
  const roots = await systemRoots();
  if (roots === undefined) return undefined;
  const content = combinedBundle(roots, config.caCertificate);
  return mounted(directory, BUNDLE_CONTAINER_PATH, { name: "ca-bundle.pem", content });
}

async function stubMounts(directory: string, config: ContainerConfig): Promise<Mount[]> {
  const mounts: Mount[] = [];
  for (const { containerPath, content } of config.credentialStubs ?? []) {
    mounts.push(
      await mounted(directory, containerPath, { name: path.posix.basename(containerPath), content }),
    );
  }
  return mounts;
}

async function mounted(
  directory: string,
  target: string,
  file: { name: string; content: string },
): Promise<Mount> {
  checkTarget(target);
  return { source: await privateFile(directory, file), target };
}

/** A colon would add mount options or another target. */
function checkTarget(target: string): void {
  if (/^\/[^:\p{Cc}]+$/u.test(target)) return;
  throw new OneCLIError(`the gateway names ${JSON.stringify(target)} as a path in the container`, {
    hint: "it must be absolute and hold no colon: is this a OneCLI gateway?",
  });
}

/** An `=` in the name would move the border between name and value. */
function checkedVariable([name, value]: [string, string]): [string, string] {
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !value.includes("\0")) return [name, value];
  throw new OneCLIError(`the gateway names ${JSON.stringify(name)} as an environment variable`, {
    hint: "is this a OneCLI gateway?",
  });
}

function needsHostMapping(options: WiringOptions): boolean {
  return options.addHostMapping !== false && process.platform === "linux";
}
