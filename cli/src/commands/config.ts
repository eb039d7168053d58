// onecli config …
import type { Command, Noun } from "../command.ts";
import { usageError } from "../errors.ts";
import { apiHost, checkedUrl, readConfig, writeConfig } from "../settings.ts";

const KEYS = "api-host";

const get: Command = {
  name: "get",
  summary: "Show a setting",
  argument: ["<key>", KEYS],
  examples: ["onecli config get api-host"],
  run: async ({ rest, context }) => {
    const key = checkedName(rest[0]);
    return { kind: "object", value: { key, value: await apiHost(context) } };
  },
};

const set: Command = {
  name: "set",
  summary: "Change a setting",
  argument: ["<key-and-value...>", `${KEYS}, then its value`],
  examples: ["onecli config set api-host http://localhost:10254"],
  run: async ({ rest, context }) => {
    const key = checkedName(rest[0]);
    if (rest.length !== 2)
      throw usageError(`one value for ${key}`, `onecli config set ${key} http://localhost:10254`);
    const value = checkedUrl(rest[1] ?? "");
    await writeConfig(context, { ...(await readConfig(context)), [key]: value });
    return { kind: "object", value: { status: "ok", key, value } };
  },
};

function checkedName(name: string | undefined): "api-host" {
  if (name === "api-host") return name;
  throw usageError(`there is no setting ${JSON.stringify(name)}`, `there is: ${KEYS}`);
}

export const config: Noun = { name: "config", summary: "Settings of this program", commands: [get, set] };
