// onecli auth …
import { type OneCLI, OneCLIRequestError } from "@onecli/sdk";
import { type Command, type Invocation, type Noun, text } from "../command.ts";
import { CliError, usageError } from "../errors.ts";
import { remark } from "../output.ts";
import { submit } from "../payload.ts";
import { clientOf, forgetKey, keyFile, readSettings, saveKey } from "../settings.ts";

const KEY_BYTES_MAX = 1024;

const login: Command = {
  name: "login",
  summary: "Save the key that opens the gateway; it is tried before it is saved",
  flags: [
    ["--api-key-stdin", "read the key from standard input"],
    ["--api-key <key>", "the key itself: stays in the shell's history, prefer the others"],
  ],
  examples: ["onecli auth login", "onecli auth login --api-key-stdin < key-file"],
  run: async (invocation) => {
    const { context } = invocation;
    const apiKey = checkedKey(await givenKey(invocation));
    const { email, name, role } = await (await clientOf(context, apiKey)).call("user");
    await saveKey(context, apiKey);
    return { kind: "object", value: { status: "ok", email, name, role } };
  },
};

async function givenKey({ flags, context }: Invocation): Promise<string> {
  const argument = text(flags, "apiKey");
  if (argument !== undefined) {
    remark(context, "--api-key stays in the shell's history and shows in ps: prefer --api-key-stdin");
    return argument;
  }
  if (flags["apiKeyStdin"] === true) return context.stdin.read(KEY_BYTES_MAX);
  if (context.stdin.isTerminal) return context.askHidden("API key (not shown): ");
  throw usageError("no key", "pipe it in with --api-key-stdin");
}

function checkedKey(value: string): string {
  const apiKey = value.trim();
  if (/^oc_[A-Za-z0-9_]+$/.test(apiKey)) return apiKey;
  throw usageError(
    "this is not a key of the gateway: they start with oc_",
    "agents' tokens (aoc_) open nothing here",
  );
}

const logout: Command = {
  name: "logout",
  summary: "Forget the saved key",
  examples: ["onecli auth logout"],
  run: async ({ context }) => {
    await forgetKey(context);
    const { apiKeySource } = await readSettings(context);
    if (apiKeySource === "environment") remark(context, "ONECLI_API_KEY is still set");
    return { kind: "object", value: { status: "ok" } };
  },
};

const status: Command = {
  name: "status",
  summary: "Who you are to the gateway",
  examples: ["onecli auth status"],
  run: async ({ context }) => {
    const { url, apiKeySource } = await readSettings(context);
    const user = apiKeySource === "none" ? undefined : await whoAmI(await clientOf(context));
    const value = { authenticated: user !== undefined, url, keyFrom: apiKeySource };
    return { kind: "object", value: user === undefined ? value : { ...value, ...user } };
  },
};

async function whoAmI(client: OneCLI) {
  try {
    const { email, name, role } = await client.call("user");
    return { email, name, role };
  } catch (error) {
    if (error instanceof OneCLIRequestError && error.statusCode === 401) return undefined;
    throw error;
  }
}

const apiKey: Command = {
  name: "api-key",
  summary: "The key in use, masked",
  examples: ["onecli auth api-key"],
  run: async ({ context }) => ({ kind: "object", value: await (await clientOf(context)).call("apiKey") }),
};

const regenerateApiKey: Command = {
  name: "regenerate-api-key",
  summary: "Replace the key in use and save the new one; the old one ends at once",
  form: "write",
  examples: ["onecli auth regenerate-api-key"],
  run: async ({ flags, context }) =>
    submit({ flags, description: "replace the key in use", payload: {} }, async () => {
      const { apiKeySource } = await readSettings(context);
      const renewed = await (await clientOf(context)).call("regenerateApiKey");
      if (apiKeySource === "environment")
        remark(context, "put the new key into ONECLI_API_KEY: the old one has ended");
      else await saved(() => saveKey(context, renewed.apiKey), renewed.apiKey, keyFile(context));
      return renewed;
    }),
};

/** The old key is gone already: should the file be unwritable, the new one must not be lost with it. */
async function saved(save: () => Promise<void>, apiKey: string, file: string): Promise<void> {
  await save().catch(() => {
    throw new CliError(`cannot write ${file}; the new key is ${apiKey}`, { hint: "save it by hand" });
  });
}

export const auth: Noun = {
  name: "auth",
  summary: "Your key to the gateway",
  commands: [login, logout, status, apiKey, regenerateApiKey],
};
