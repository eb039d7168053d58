// onecli rules …
import { type Command, type Flags, integer, list, type Noun, required, text, truth } from "../command.ts";
import { type Payload, payloadOf, requireMembers, submit } from "../payload.ts";
import { clientOf } from "../settings.ts";

const id = ["--id <id>", "the rule's id, from onecli rules list"] as const;
const describing = [
  ["--name <name>", "what people call it"],
  ["--host-pattern <pattern>", "a host or *.host"],
  ["--action <action>", "block, rate_limit or allow"],
  ["--path-pattern <pattern>", "only below this path, e.g. /repos/*"],
  ["--method <methods>", "only these methods, comma-separated"],
  ["--agent-id <id>", "only this agent"],
  ["--rate-limit <count>", "calls a window, with --action rate_limit"],
  ["--rate-limit-window <window>", "minute, hour or day"],
  ["--enabled [boolean]", "false keeps the rule without effect"],
] as const;

const listRules: Command = {
  name: "list",
  summary: "List rules",
  examples: ["onecli rules list", "onecli rules list --fields name,action,hostPattern"],
  run: async ({ context }) => ({
    kind: "list",
    rows: await (await clientOf(context)).rules.list(),
    columns: ["name", "action", "method", "hostPattern", "pathPattern", "rateLimit", "enabled", "id"],
  }),
};

const get: Command = {
  name: "get",
  summary: "Show one rule",
  flags: [id],
  examples: ["onecli rules get --id 0190c0de"],
  run: async ({ flags, context }) => ({
    kind: "object",
    value: await (await clientOf(context)).rules.get(required(flags, "id")),
  }),
};

const create: Command = {
  name: "create",
  summary: "Create a rule. block wins over rate_limit, rate_limit over allow, allow over the default",
  form: "write",
  flags: describing,
  examples: [
    'onecli rules create --name "No deletes" --host-pattern api.github.com --action block --method DELETE',
    "onecli rules create --name Mail --host-pattern gmail.googleapis.com --action rate_limit \\\n      --rate-limit 100 --rate-limit-window hour",
  ],
  run: async (invocation) => {
    const { flags, context } = invocation;
    const payload = await payloadOf(invocation, membersOf(flags));
    requireMembers(payload, ["name", "hostPattern", "action"]);
    const description = `create the rule ${String(payload["name"])}`;
    return submit({ flags, description, payload }, async () =>
      (await clientOf(context)).rules.create({ enabled: true, ...payload } as never),
    );
  },
};

const update: Command = {
  name: "update",
  summary: "Change a rule; what is not named stays",
  form: "write",
  flags: [id, ...describing],
  examples: [
    "onecli rules update --id 0190c0de --enabled false",
    `onecli rules update --id 0190c0de --json '{"agentId":null}'`,
  ],
  run: async (invocation) => {
    const { flags, context } = invocation;
    const ruleId = required(flags, "id");
    const payload = await payloadOf(invocation, membersOf(flags));
    return submit({ flags, description: "change the rule", payload }, async () => {
      const { success: _, ...rule } = await (await clientOf(context)).rules.update(ruleId, payload);
      return rule;
    });
  },
};

function membersOf(flags: Flags): Payload {
  const methods = list(flags, "method")?.map((method) => method.toUpperCase());
  return {
    name: text(flags, "name"),
    hostPattern: text(flags, "hostPattern"),
    action: text(flags, "action"),
    pathPattern: text(flags, "pathPattern"),
    method: methods?.length === 1 ? methods[0] : methods,
    agentId: text(flags, "agentId"),
    rateLimit: integer(flags, "rateLimit"),
    rateLimitWindow: text(flags, "rateLimitWindow"),
    enabled: truth(flags, "enabled"),
  };
}

const remove: Command = {
  name: "delete",
  summary: "Delete a rule",
  form: "write",
  flags: [id],
  examples: ["onecli rules delete --id 0190c0de"],
  run: async ({ flags, context }) => {
    const payload = { id: required(flags, "id") };
    return submit({ flags, description: "delete the rule", payload }, async () => {
      await (await clientOf(context)).rules.delete(payload.id);
      return { ...payload, status: "deleted" };
    });
  },
};

export const rules: Noun = {
  name: "rules",
  summary: "What agents may call",
  commands: [listRules, get, create, update, remove],
};
