// onecli api-keys …
import { type Command, type Noun, required, text } from "../command.ts";
import { payloadOf, requireMembers, submit } from "../payload.ts";
import { clientOf } from "../settings.ts";

const listKeys: Command = {
  name: "list",
  summary: "List keys, masked",
  examples: ["onecli api-keys list"],
  run: async ({ context }) => ({
    kind: "list",
    rows: await (await clientOf(context)).apiKeys.list(),
    columns: ["name", "role", "preview", "createdAt", "id"],
  }),
};

const create: Command = {
  name: "create",
  summary: "Create a key; it is shown this once",
  form: "write",
  flags: [
    ["--name <name>", "what it is for"],
    ["--role <role>", "admin, runner (agents, their tokens and approvals) or read"],
  ],
  examples: [
    "onecli api-keys create --name dashboard --role read",
    "onecli api-keys create --name nanoclaw --role runner --quiet apiKey",
  ],
  run: async (invocation) => {
    const { flags, context } = invocation;
    const payload = await payloadOf(invocation, { name: text(flags, "name"), role: text(flags, "role") });
    requireMembers(payload, ["name", "role"]);
    return submit({ flags, description: `create the key ${String(payload["name"])}`, payload }, async () =>
      (await clientOf(context)).apiKeys.create(payload as never),
    );
  },
};

const remove: Command = {
  name: "delete",
  summary: "Revoke a key",
  form: "write",
  flags: [["--id <id>", "the key's id, from onecli api-keys list"]],
  examples: ["onecli api-keys delete --id 0190c0de"],
  run: async ({ flags, context }) => {
    const payload = { id: required(flags, "id") };
    return submit({ flags, description: "revoke the key", payload }, async () => {
      await (await clientOf(context)).apiKeys.delete(payload.id);
      return { ...payload, status: "deleted" };
    });
  },
};

export const apiKeys: Noun = {
  name: "api-keys",
  summary: "Further keys, with roles",
  commands: [listKeys, create, remove],
};
