// The tree of commands. A noun's file is loaded only when its word is on the command line.
import { Command as Commander } from "commander";
import type { Command, Flags, Noun } from "./command.ts";
import type { Context } from "./context.ts";
import { failureOf } from "./errors.ts";
import { print, printFailure, viewOf } from "./output.ts";
import { apiHost } from "./settings.ts";

interface Entry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<Noun | Command>;
}

const entries: readonly Entry[] = [
  entry("run", "Run a program behind the gateway", async () => (await import("./commands/run.ts")).run),
  entry(
    "agents",
    "Who may call through the gateway",
    async () => (await import("./commands/agents.ts")).agents,
  ),
  entry(
    "secrets",
    "Real keys, never shown again",
    async () => (await import("./commands/secrets.ts")).secrets,
  ),
  entry("rules", "What agents may call", async () => (await import("./commands/rules.ts")).rules),
  entry("audit", "What agents did", async () => (await import("./commands/audit.ts")).audit),
  entry("auth", "Your key to the gateway", async () => (await import("./commands/auth.ts")).auth),
  entry("api-keys", "Further keys, with roles", async () => (await import("./commands/api-keys.ts")).apiKeys),
  entry("vault", "The keys that seal secrets", async () => (await import("./commands/vault.ts")).vault),
  entry("gateway", "Start it, see it", async () => (await import("./commands/gateway.ts")).gateway),
  entry("config", "Settings of this program", async () => (await import("./commands/config.ts")).config),
  entry("doctor", "Check that everything works", async () => (await import("./commands/doctor.ts")).doctor),
  entry("version", "Version of this program", async () => (await import("./commands/version.ts")).version),
];

function entry(name: string, summary: string, load: Entry["load"]): Entry {
  return { name, summary, load };
}

/** Runs one command line and gives the exit code; prints everything itself and never throws. */
export async function run(argv: readonly string[], context: Context): Promise<number> {
  const outcome = { exitCode: 0, asJson: false };
  try {
    const line = withDefaults(argv);
    const program = await buildProgram(line, context, outcome);
    await program.parseAsync([...line], { from: "user" });
    return outcome.exitCode;
  } catch (error) {
    if (isHelp(error)) return 0;
    return printFailure(context.stderr, failureOf(error), outcome.asJson);
  }
}

/** A bare `onecli`, or a bare noun, asks what there is. */
function withDefaults(argv: readonly string[]): readonly string[] {
  const [first, second] = argv;
  if (first === undefined) return ["--help"];
  if (first === "--version" || first === "-V") return ["version"];
  const standsAlone = ["run", "doctor", "version", "help"].includes(first) || first.startsWith("-");
  return second === undefined && !standsAlone && entries.some(({ name }) => name === first)
    ? [first, "--help"]
    : argv;
}

interface Outcome {
  exitCode: number;
  /** -o json: errors too */
  asJson: boolean;
}

async function buildProgram(argv: readonly string[], context: Context, outcome: Outcome): Promise<Commander> {
  const program = configured(new Commander("onecli"), context)
    .description("Fake keys for agents, real calls out. Start with: onecli gateway start, onecli auth login")
    .enablePositionalOptions()
    .helpCommand(true)
    .addHelpText("after", topics);
  for (const { name, summary, load } of entries) {
    if (!argv.includes(name)) program.command(name).description(summary).allowUnknownOption();
    else program.addCommand(build(await load(), context, outcome));
  }
  return program;
}

const topics = `
Examples:
  $ onecli secrets create --name Anthropic --type anthropic
  $ onecli agents create --name "My agent" --identifier my-agent
  $ onecli run --agent my-agent -- claude
  $ onecli audit tail --follow

Output is JSON unless it goes to a terminal; -o json|table chooses. Environment: ONECLI_URL, ONECLI_API_KEY.`;

function configured(command: Commander, context: Context): Commander {
  return command.exitOverride().configureOutput({
    writeOut: (content) => context.stdout.write(content),
    writeErr: () => undefined,
    outputError: () => undefined,
  });
}

function build(item: Noun | Command, context: Context, outcome: Outcome): Commander {
  if ("run" in item) return buildCommand(item, context, outcome);
  const noun = configured(new Commander(item.name), context)
    .description(item.summary)
    .enablePositionalOptions();
  for (const command of item.commands) noun.addCommand(buildCommand(command, context, outcome));
  return noun;
}

function buildCommand(command: Command, context: Context, outcome: Outcome): Commander {
  const built = configured(new Commander(command.name), context).description(command.summary);
  for (const [form, meaning] of [...(command.flags ?? []), ...commonFlags(command)])
    built.option(form, meaning);
  if (command.argument !== undefined) built.argument(...command.argument);
  // Flags after the program's name are the program's.
  if (command.form === "bare") built.passThroughOptions();
  built.addHelpText("after", `\nExamples:\n${command.examples.map((line) => `  $ ${line}`).join("\n")}`);
  return built.action(async () => {
    outcome.exitCode = await execute(command, built, context, outcome);
  });
}

async function execute(
  command: Command,
  built: Commander,
  context: Context,
  outcome: Outcome,
): Promise<number> {
  const flags: Flags = built.opts();
  outcome.asJson = flags["output"] === "json";
  const view = viewOf(context, flags, await apiHost(context));
  const result = await command.run({ context, flags, rest: built.args });
  return print(context.stdout, result, view);
}

const readFlags = [
  ["-o, --output <form>", "json or table; JSON unless standard output is a terminal"],
  ["--fields <names>", "only these members, comma-separated"],
  ["--quiet <name>", "only this member, raw, one a line"],
  ["--max <count>", "rows at most (default 20)"],
] as const;
const writeFlags = [
  ["--json <object>", "the request as JSON, or - to read it from standard input; flags win over its members"],
  ["--dry-run", "say what would be sent, send nothing"],
] as const;

function commonFlags(command: Command): readonly (readonly [string, string])[] {
  if (command.form === "bare") return [];
  return command.form === "write" ? [...writeFlags, ...readFlags] : readFlags;
}

function isHelp(error: unknown): boolean {
  return error instanceof Error && "exitCode" in error && "code" in error && error.exitCode === 0;
}
