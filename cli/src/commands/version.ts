// onecli version
import { readFile } from "node:fs/promises";
import type { Command } from "../command.ts";

export const version: Command = {
  name: "version",
  summary: "Version of this program",
  examples: ["onecli version --quiet version"],
  run: async () => ({ kind: "object", value: { version: await ownVersion() } }),
};

async function ownVersion(): Promise<string> {
  const content = await readFile(new URL("../../package.json", import.meta.url), "utf8");
  return String((JSON.parse(content) as Record<string, unknown>)["version"]);
}
