// onecli agents …
import { type Command, list, type Noun, required, text } from "../command.ts";
import { usageError } from "../errors.ts";
import { payloadOf, requireMembers, submit } from "../payload.ts";
import { clientOf } from "../settings.ts";

const id = ["--id <id>", "the agent's id, from onecli agents list"] as const;
const columns = ["identifier", "name", "isDefault", "secretMode", "defaultAction", "id"];

const listAgents: Command = {
  name: "list",
  summary: "List agents",
  examples: ["onecli agents list", "onecli agents list --quiet identifier"],
  run: async ({ context }) => ({
    kind: "list",
    rows: await (await clientOf(context)).agents.list(),
    columns,
  }),
};

const getDefault: Command = {
  name: "get-default",
  summary: "Show the default agent: who calls when no agent is named",
  examples: ["onecli agents get-default"],
  run: async ({ context }) => ({
    kind: "object",
    value: await (await clientOf(context)).agents.getDefault(),
  }),
};

const create: Command = {
  name: "create",
  summary: "Create an agent",
  form: "write",
  flags: [
    ["--name <name>", "what people call it"],
    ["--identifier <identifier>", "what machines call it: lower-case letters, digits, hyphens"],
    ["--parent-identifier <identifier>", "copy secrets and mode from this agent"],
    ["--default-action <action>", "allow or deny what no rule names"],
    ["--secret-mode <mode>", "all or selective"],
  ],
  examples: [
    'onecli agents create --name "Research" --identifier research',
    "onecli agents create --name Mail --identifier mail --default-action deny --secret-mode selective",
  ],
  run: async (invocation) => {
    const { flags, context } = invocation;
    const payload = await payloadOf(invocation, {
      name: text(flags, "name"),
      identifier: text(flags, "identifier"),
      parentIdentifier: text(flags, "parentIdentifier"),
      defaultAction: text(flags, "defaultAction"),
      secretMode: text(flags, "secretMode"),
    });
    requireMembers(payload, ["name", "identifier"]);
    const description = `create the agent ${String(payload["identifier"])}`;
    return submit({ flags, description, payload }, async () =>
      (await clientOf(context)).agents.create(payload as never),
    );
  },
};

const remove: Command = {
  name: "delete",
  summary: "Delete an agent; its connections close at once",
  form: "write",
  flags: [id],
  examples: ["onecli agents delete --id 0190c0de"],
  run: async ({ flags, context }) => {
    const payload = { id: required(flags, "id") };
    return submit({ flags, description: "delete the agent", payload }, async () => {
      await (await clientOf(context)).agents.delete(payload.id);
      return { ...payload, status: "deleted" };
    });
  },
};

const rename: Command = {
  name: "rename",
  summary: "Give an agent another name",
  form: "write",
  flags: [id, ["--name <name>", "the new name"]],
  examples: ['onecli agents rename --id 0190c0de --name "Night shift"'],
  run: async ({ flags, context }) => {
    const payload = { id: required(flags, "id"), name: required(flags, "name") };
    return submit({ flags, description: "rename the agent", payload }, async () => {
      await (await clientOf(context)).agents.rename(payload.id, payload.name);
      return { ...payload, status: "renamed" };
    });
  },
};

const regenerateToken: Command = {
  name: "regenerate-token",
  summary: "New access token; connections that use the old one close",
  form: "write",
  flags: [id],
  examples: ["onecli agents regenerate-token --id 0190c0de --quiet accessToken"],
  run: async ({ flags, context }) => {
    const payload = { id: required(flags, "id") };
    return submit({ flags, description: "replace the agent's access token", payload }, async () =>
      (await clientOf(context)).agents.regenerateToken(payload.id),
    );
  },
};

const secrets: Command = {
  name: "secrets",
  summary: "Ids of the secrets assigned to an agent",
  flags: [id],
  examples: ["onecli agents secrets --id 0190c0de"],
  run: async ({ flags, context }) => ({
    kind: "list",
    rows: await (await clientOf(context)).agents.secrets(required(flags, "id")),
    columns: ["secretId"],
  }),
};

const setSecrets: Command = {
  name: "set-secrets",
  summary: "Assign secrets to an agent, and let it use only those",
  form: "write",
  flags: [id, ["--secret-ids <ids>", "comma-separated; they replace the ones assigned before"]],
  examples: ["onecli agents set-secrets --id 0190c0de --secret-ids 0190aaaa,0190bbbb"],
  run: async ({ flags, context }) => {
    const agentId = required(flags, "id");
    const secretIds = list(flags, "secretIds") ?? [];
    const payload = { secretIds, mode: "selective" };
    return submit({ flags, description: "assign secrets to the agent", payload }, async () => {
      const client = await clientOf(context);
      await client.agents.setSecrets(agentId, secretIds);
      await client.agents.setSecretMode(agentId, "selective");
      return { id: agentId, secret_ids: secretIds, secret_mode: "selective", status: "updated" };
    });
  },
};

const setSecretMode: Command = {
  name: "set-secret-mode",
  summary: "Let an agent use all secrets, or the assigned ones",
  form: "write",
  flags: [id, ["--mode <mode>", "all or selective"]],
  examples: ["onecli agents set-secret-mode --id 0190c0de --mode selective"],
  run: async ({ flags, context }) => {
    const payload = { id: required(flags, "id"), mode: secretMode(required(flags, "mode")) };
    return submit({ flags, description: "change the agent's secret mode", payload }, async () => {
      await (await clientOf(context)).agents.setSecretMode(payload.id, payload.mode);
      return { ...payload, status: "updated" };
    });
  },
};

function secretMode(mode: string): "all" | "selective" {
  if (mode === "all" || mode === "selective") return mode;
  throw usageError("--mode is all or selective");
}

const setDefault: Command = {
  name: "set-default",
  summary: "Make an agent the default one",
  form: "write",
  flags: [id],
  examples: ["onecli agents set-default --id 0190c0de"],
  run: async ({ flags, context }) => {
    const payload = { id: required(flags, "id") };
    return submit({ flags, description: "make it the default agent", payload }, async () => {
      await (await clientOf(context)).agents.setDefault(payload.id);
      return { ...payload, status: "default" };
    });
  },
};

export const agents: Noun = {
  name: "agents",
  summary: "Who may call through the gateway",
  commands: [
    listAgents,
    getDefault,
    create,
    remove,
    rename,
    regenerateToken,
    secrets,
    setSecrets,
    setSecretMode,
    setDefault,
  ],
};
