// onecli secrets …
import { type Command, type Noun, required, text } from "../command.ts";
import { type Payload, payloadOf, requireMembers, submit } from "../payload.ts";
import {
  injectionFlags,
  injectionOf,
  issuesTokensOf,
  methodsOf,
  rotationFlags,
  rotationOf,
  tokenFlags,
} from "../secret-flags.ts";
import { readSecretValue, valueFlags } from "../secret-value.ts";
import { clientOf } from "../settings.ts";

const id = ["--id <id>", "the secret's id, from onecli secrets list"] as const;
const describing = [
  ["--name <name>", "what people call it"],
  ["--host-pattern <pattern>", "a host or *.host, optional :port; known for anthropic and openai"],
  ["--path-pattern <pattern>", "only below this path, e.g. /v1/*"],
  ["--method <methods>", "only these methods, comma-separated"],
  ["--env-name <name>", "variable under which agents get the fake key"],
] as const;

const listSecrets: Command = {
  name: "list",
  summary: "List secrets, never their values",
  examples: ["onecli secrets list", "onecli secrets list --fields name,hostPattern"],
  run: async ({ context }) => ({
    kind: "list",
    rows: await (await clientOf(context)).secrets.list(),
    columns: ["name", "type", "hostPattern", "pathPattern", "envName", "id"],
  }),
};

const create: Command = {
  name: "create",
  summary: "Store a secret. Its value is asked for without echo, or read from standard input or a file",
  form: "write",
  flags: [
    ["--type <type>", "anthropic, openai or generic"],
    ...valueFlags,
    ...describing,
    ...injectionFlags,
    ...tokenFlags,
    ...rotationFlags,
  ],
  examples: [
    "onecli secrets create --name Anthropic --type anthropic",
    "pass show stripe | onecli secrets create --name Stripe --type generic --value-stdin \\\n      --host-pattern api.stripe.com --header-name authorization --value-format 'Bearer {value}'",
    "onecli secrets create --name Jira --type generic --value-file ./token --host-pattern acme.atlassian.net --basic-username me@acme.com",
    "onecli secrets create --name GitHub --type generic --host-pattern api.github.com --placeholder header --env-name GITHUB_TOKEN",
    "onecli secrets create --name Google --type generic --value-file ./refresh-token \\\n      --host-pattern oauth2.googleapis.com --path-pattern /token --placeholder body --issues-tokens-for '*.googleapis.com'",
  ],
  run: async (invocation) => {
    const { flags, context } = invocation;
    const payload = await payloadOf(invocation, {
      type: text(flags, "type"),
      ...membersOf(invocation.flags),
    });
    payload["hostPattern"] ??= knownHosts[String(payload["type"])];
    requireMembers(payload, ["name", "type", "hostPattern"]);
    payload["value"] ??= await readSecretValue(invocation, { ask: true });
    const description = `store the secret ${String(payload["name"])}`;
    return submit({ flags, description, payload }, async () =>
      (await clientOf(context)).secrets.create(payload as never),
    );
  },
};

const knownHosts: Readonly<Record<string, string>> = {
  anthropic: "api.anthropic.com",
  openai: "api.openai.com",
};

function membersOf(flags: Readonly<Record<string, unknown>>): Payload {
  return {
    name: text(flags, "name"),
    hostPattern: text(flags, "hostPattern"),
    pathPattern: text(flags, "pathPattern"),
    methods: methodsOf(flags),
    injectionConfig: injectionOf(flags),
    envName: text(flags, "envName"),
    issuesTokens: issuesTokensOf(flags),
    rotation: rotationOf(flags),
  };
}

const update: Command = {
  name: "update",
  summary: "Change a secret; what is not named stays",
  form: "write",
  flags: [id, ...valueFlags, ...describing, ...injectionFlags, ...tokenFlags, ...rotationFlags],
  examples: [
    "onecli secrets update --id 0190c0de --value-stdin < new-key",
    "onecli secrets update --id 0190c0de --path-pattern '/v1/*'",
    `onecli secrets update --id 0190c0de --json '{"pathPattern":null}'`,
  ],
  run: async (invocation) => {
    const { flags, context } = invocation;
    const secretId = required(flags, "id");
    const payload = await payloadOf(invocation, membersOf(flags));
    const value = await readSecretValue(invocation, { ask: false });
    if (value !== undefined) payload["value"] = value;
    return submit({ flags, description: "change the secret", payload }, async () => {
      await (await clientOf(context)).secrets.update(secretId, payload);
      return { id: secretId, status: "updated" };
    });
  },
};

const remove: Command = {
  name: "delete",
  summary: "Delete a secret",
  form: "write",
  flags: [id],
  examples: ["onecli secrets delete --id 0190c0de"],
  run: async ({ flags, context }) => {
    const payload = { id: required(flags, "id") };
    return submit({ flags, description: "delete the secret", payload }, async () => {
      await (await clientOf(context)).secrets.delete(payload.id);
      return { ...payload, status: "deleted" };
    });
  },
};

const rotate: Command = {
  name: "rotate",
  summary: "Get a new value from the secret's command or webhook, test it, switch to it",
  form: "write",
  flags: [id],
  examples: ["onecli secrets rotate --id 0190c0de"],
  run: async ({ flags, context }) => {
    const payload = { id: required(flags, "id") };
    return submit({ flags, description: "rotate the secret", payload }, async () => {
      const { rotatedAt } = await (await clientOf(context)).secrets.rotate(payload.id);
      return { ...payload, status: "rotated", rotatedAt };
    });
  },
};

export const secrets: Noun = {
  name: "secrets",
  summary: "Real keys, never shown again",
  commands: [listSecrets, create, update, remove, rotate],
};
