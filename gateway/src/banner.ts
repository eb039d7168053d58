// What a person sees at the start: where it is, where the key lies, what to type next.
import { existsSync } from "node:fs";
import type { Gateway } from "./compose.ts";
import type { Config } from "./config.ts";

export function banner(gateway: Gateway, config: Config): string {
  const url = `http://localhost:${gateway.adminPort}`;
  const proxyOnly = gateway
    .addresses()
    .filter(({ servesControlPlane }) => !servesControlPlane)
    .map(({ address, port }) => `${address}:${port}`);
  const lines = [
    `OneCLI gateway ${gateway.version}`,
    `  API and dashboard  ${url}`,
    `  proxy for agents   http://localhost:${gateway.port}${proxyOnly.length > 0 ? `, for containers ${proxyOnly.join(", ")}` : ""}`,
    `  admin key          ${whereKeyLies(config)}`,
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

/** Only its hash is kept: a file that is gone can't be written again, and no one should look for it there. */
function whereKeyLies({ apiKey, credentialsFile }: Config): string {
  if (apiKey !== null) return "the one in ONECLI_API_KEY";
  if (existsSync(credentialsFile)) return `in ${credentialsFile} (the onecli command reads it there)`;
  return `made earlier, and not in ${credentialsFile}; a start with ONECLI_API_KEY=oc_<64 hex digits> adds another`;
}
