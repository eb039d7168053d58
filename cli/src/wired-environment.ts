// The environment of a program behind the gateway: what `onecli run` starts with and `onecli doctor` tries.
import path from "node:path";
import { rootCertificates } from "node:tls";
import {
  childEnvironment,
  combinedBundle,
  type ContainerConfig,
  firstCertificate,
  privateFile,
  systemRoots,
  withheldVariables,
} from "@onecli/sdk";
import type { Context } from "./context.ts";
import { apiHost, clientOf, onecliDirectory } from "./settings.ts";

export interface Wired {
  readonly config: ContainerConfig;
  /** variables set for the child, over what it inherits */
  readonly set: Readonly<Record<string, string>>;
  /** the whole environment */
  readonly env: Readonly<Record<string, string | undefined>>;
}

export async function wiredEnvironment(context: Context, agent: string | undefined): Promise<Wired> {
  const config = await (await clientOf(context)).getContainerConfig({ agent });
  const directory = path.join(onecliDirectory(context), "run");
  const set = childEnvironment(config, {
    caFile: await privateFile(directory, {
      name: "gateway-ca.pem",
      content: firstCertificate(config.caCertificate),
    }),
    bundleFile: await privateFile(directory, {
      name: "ca-bundle.pem",
      content: combinedBundle((await systemRoots()) ?? rootCertificates.join("\n"), config.caCertificate),
    }),
    gatewayHost: hostName(await apiHost(context)),
  });
  return { config, set, env: { ...inherited(context, config), ...set } };
}

function hostName(url: string): string {
  return new URL(url).hostname;
}

function inherited(context: Context, config: ContainerConfig): Record<string, string | undefined> {
  const withheld = new Set(withheldVariables(config));
  return Object.fromEntries(Object.entries(context.env).filter(([name]) => !withheld.has(name)));
}
