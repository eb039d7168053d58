// What a person sees at the start: where it is, where the key lies, what to type next.
import type { Gateway } from "./compose.ts";
import type { Config } from "./config.ts";

export function banner(gateway: Gateway, config: Config): string {
  const url = `http://localhost:${gateway.adminPort}`;
  const proxyOnly = gateway
    .addresses()
    .filter(({ servesControlPlane }) => !servesControlPlane)
    .map(({ address, port }) => `${address}:${port}`);
  const key =
    config.apiKey === null
      ? `in ${config.credentialsFile} (the onecli command reads it there)`
      : "the one in ONECLI_API_KEY";
  const lines = [
    `OneCLI gateway ${gateway.version}`,
    `  API and dashboard  ${url}`,
    `  proxy for agents   http://localhost:${gateway.port}${proxyOnly.length > 0 ? `, for containers ${proxyOnly.join(", ")}` : ""}`,
    `  admin key          ${key}`,
    `  data               ${config.dataDir}`,
    ...(gateway.isNew
      ? [
          "",
          "Next, in another terminal:",
          "  npx onecli secrets create --name Anthropic --type anthropic --host-pattern api.anthropic.com",
        ]
      : []),
  ];
  return `${lines.join("\n")}\n`;
}
