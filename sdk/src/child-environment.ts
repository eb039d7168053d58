// The environment of a program that runs on this host, outside any container, behind the gateway.
import type { ContainerConfig } from "./contract/index.ts";

export interface ChildFiles {
  /** the gateway's own certificate */
  readonly caFile: string;
  /** the same and the public roots, for variables that replace the trust store */
  readonly bundleFile: string;
  /** name under which this host reaches the gateway; replaces the one containers use */
  readonly gatewayHost: string;
}

const proxyVariables = ["HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"];
const bundleVariables = [
  "SSL_CERT_FILE",
  "REQUESTS_CA_BUNDLE",
  "CURL_CA_BUNDLE",
  "GIT_SSL_CAINFO",
  "DENO_CERT",
  "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
];
/** names by which containers reach their host; on the host itself they mean nothing */
const containerHostNames = ["host.docker.internal", "gateway.docker.internal"];

/** What to set for the child: all that the gateway sent, fitted to this host. */
export function childEnvironment(config: ContainerConfig, files: ChildFiles): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(config.env)) {
    env[name] = value === config.caCertificateContainerPath ? files.bundleFile : value;
  }
  for (const name of proxyVariables) {
    const value = env[name];
    if (value !== undefined) env[name] = dialledFromHost(value, files.gatewayHost);
  }
  for (const name of bundleVariables) env[name] = files.bundleFile;
  env["NODE_EXTRA_CA_CERTS"] = files.caFile;
  return env;
}

function dialledFromHost(proxy: string, gatewayHost: string): string {
  if (!URL.canParse(proxy)) return proxy;
  const url = new URL(proxy);
  if (!containerHostNames.includes(url.hostname)) return proxy;
  url.hostname = gatewayHost;
  // `URL` writes the path that a proxy variable does not have.
  return url.href.replace(/\/$/, "");
}

const controlPlane = [
  "ONECLI_API_KEY",
  "ONECLI_MASTER_KEY",
  "ONECLI_MASTER_KEY_FILE",
  "ONECLI_PASSPHRASE",
  "DATABASE_URL",
];
/** They win over the variables above in their own tools, and name roots without our CA. */
const otherRoots = [
  "AWS_CA_BUNDLE",
  "CARGO_HTTP_CAINFO",
  "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
  "HTTPLIB2_CA_CERTS",
  "NIX_SSL_CERT_FILE",
  "PIP_CERT",
  "npm_config_cafile",
];
const waysAround = ["ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"];
const anthropicVariables = ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"];

/**
 * What to take out of the parent's environment first: keys to the control plane, proxies that lead around the gateway,
 * roots of single tools, and another way to log in at Anthropic, which would win over the fake key that was sent.
 */
export function withheldVariables(config: ContainerConfig): readonly string[] {
  const names = [...controlPlane, ...waysAround, ...otherRoots];
  if (anthropicVariables.some((name) => name in config.env)) names.push(...anthropicVariables);
  return names.filter((name) => !(name in config.env));
}
