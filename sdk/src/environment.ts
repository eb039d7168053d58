// The one place of the SDK that reads the process environment.
import { homedir } from "node:os";
import path from "node:path";

export interface Environment {
  readonly url: string | undefined;
  readonly apiKey: string | undefined;
  readonly gatewayUrl: string | undefined;
  readonly projectId: string | undefined;
  /** private directory for the files that containers mount */
  readonly filesDirectory: string;
}

export function readEnvironment(env: NodeJS.ProcessEnv = process.env): Environment {
  return {
    url: named(env["ONECLI_URL"]),
    apiKey: named(env["ONECLI_API_KEY"]),
    gatewayUrl: named(env["ONECLI_GATEWAY_URL"]),
    projectId: named(env["ONECLI_PROJECT_ID"]),
    filesDirectory: path.join(named(env["HOME"]) ?? homedir(), ".onecli", "mounts"),
  };
}

/** A variable that is set to nothing counts as not set: compose files do that. */
function named(value: string | undefined): string | undefined {
  const text = value?.trim();
  return text === "" ? undefined : text;
}
