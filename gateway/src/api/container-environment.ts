// The variables that send a container's programs through the gateway and make them trust it.
import type { Credential } from "../model.ts";
import type { Settings } from "./contract.ts";

/** Where the launcher puts the CA file; part of the wire contract with published clients. */
export const CA_CONTAINER_PATH = "/tmp/onecli-gateway-ca.pem";

/** The order is that of published gateways: launchers print it, and their users compare. */
export function proxyEnvironment(settings: Settings, token: string): Record<string, string> {
  const proxy = `http://x:${token}@${urlHost(settings.proxyHost)}:${settings.port}`;
  return {
    HTTPS_PROXY: proxy,
    HTTP_PROXY: proxy,
    https_proxy: proxy,
    http_proxy: proxy,
    NODE_EXTRA_CA_CERTS: CA_CONTAINER_PATH,
    NODE_USE_ENV_PROXY: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_HTTP_PROXY_AUTHMETHOD: "basic",
  };
}

/** Only for keys that the agent can use: the word would shadow a key that the user brought along. */
export function vendorEnvironment(credentials: readonly Credential[]): Record<string, string> {
  const has = (matches: (credential: Credential) => boolean) => credentials.some(matches);
  return {
    ...(has(isAnthropicKey) && { ANTHROPIC_API_KEY: "placeholder" }),
    ...(has(isAnthropicOAuth) && { CLAUDE_CODE_OAUTH_TOKEN: "placeholder" }),
    ...(has(({ type }) => type === "openai") && { OPENAI_API_KEY: "placeholder" }),
  };
}

const isAnthropicKey = ({ type, authMode }: Credential) => type === "anthropic" && authMode !== "oauth";
const isAnthropicOAuth = ({ type, authMode }: Credential) => type === "anthropic" && authMode === "oauth";

export function bypassEnvironment({ noProxy }: Settings): Record<string, string> {
  const names = [...new Set(["localhost", "127.0.0.1", "::1", ...noProxy])].join(",");
  return { NO_PROXY: names, no_proxy: names };
}

/** Each of these replaces the trust store, so the file behind the path holds the public roots too. */
export const trustEnvironment: Readonly<Record<string, string>> = Object.fromEntries(
  [
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "DENO_CERT",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
  ].map((name) => [name, CA_CONTAINER_PATH]),
);

/** Names, in upper case, that no secret's fake key may take. */
export const reservedVariables: ReadonlySet<string> = new Set([
  ...words("HTTPS_PROXY HTTP_PROXY ALL_PROXY NO_PROXY NODE_EXTRA_CA_CERTS NODE_USE_ENV_PROXY NODE_OPTIONS"),
  ...words("GIT_TERMINAL_PROMPT GIT_HTTP_PROXY_AUTHMETHOD GIT_SSH_COMMAND PYTHONPATH PYTHONSTARTUP"),
  ...words("PATH HOME SHELL USER ENV BASH_ENV IFS"),
  ...Object.keys(trustEnvironment),
]);

function words(text: string): string[] {
  return text.split(" ");
}

function urlHost(host: string): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}
