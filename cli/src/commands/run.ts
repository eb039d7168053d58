// onecli run: a program of this host behind the gateway, without touching anything outside its own environment.
import { runChild } from "../child.ts";
import { type Command, type Result, text } from "../command.ts";
import type { Context } from "../context.ts";
import { usageError } from "../errors.ts";
import { remark } from "../output.ts";
import { type Wired, wiredEnvironment } from "../wired-environment.ts";

export const run: Command = {
  name: "run",
  summary:
    "Run a program behind the gateway: it gets fake keys, the proxy and the CA, only in its own environment",
  form: "bare",
  flags: [
    ["--agent <identifier>", "who it is to the gateway; default: the default agent"],
    ["-q, --quiet", "say nothing but what the program says"],
    ["--dry-run", "show what would be set, start nothing"],
    ["-o, --output <form>", "with --dry-run: json or table"],
  ],
  argument: ["<command...>", "the program and its arguments, after --"],
  examples: [
    "onecli run -- claude",
    "onecli run --agent research -- python3 agent.py --once",
    "onecli run --dry-run -- env",
  ],
  run: async ({ flags, rest, context }) => {
    const [command, ...args] = rest[0] === "--" ? rest.slice(1) : rest;
    if (command === undefined) throw usageError("no program", "onecli run -- claude");
    const wired = await wiredEnvironment(context, text(flags, "agent"));
    if (flags["dryRun"] === true) return dryRun([command, ...args], wired);
    if (flags["quiet"] !== true) announce(context, wired);
    return { kind: "exit", exitCode: await runChild(command, args, wired.env) };
  },
};

function dryRun(command: readonly string[], { set }: Wired): Result {
  const env = Object.fromEntries(Object.entries(set).map(([name, value]) => [name, withoutPassword(value)]));
  return { kind: "object", value: { dry_run: true, command, env } };
}

/** The agent's token is the password of the proxy's address. */
function withoutPassword(value: string): string {
  return value.replace(/^(https?:\/\/[^:@/]*:)[^@/]+@/, "$1***@");
}

function announce(context: Context, { config }: Wired): void {
  const names = (config.placeholders ?? []).flatMap(({ env }) => (env === null ? [] : [env]));
  const stated = Object.keys(config.env).filter((name) => config.env[name] === "placeholder");
  const all = [...new Set([...stated, ...names])];
  if (all.length > 0) remark(context, `fake keys, swapped on their own hosts: ${all.join(", ")}`);
  for (const warning of config.warnings ?? []) remark(context, warning);
}
