// onecli doctor: everything between this user and a call through the gateway, checked for real.
import { type Command, text } from "../command.ts";
import type { Context } from "../context.ts";
import { allChecks } from "../doctor/checks.ts";
import { usageError } from "../errors.ts";

/** RFC 6761 section 6.4: `.test` never resolves, so the gateway itself must answer: that proves the way to it. */
const PROBE_URL = "https://doctor.onecli.test/";

export const doctor: Command = {
  name: "doctor",
  summary: "Check settings, gateway, key, CA and proxy, then curl, git, node and python3 through it",
  flags: [
    ["--host <url>", `https address that the tools call; default ${PROBE_URL}, which needs no internet`],
    ["--agent <identifier>", "call as this agent; default: the default agent"],
  ],
  examples: ["onecli doctor", "onecli doctor --host https://api.github.com/ -o json"],
  run: async ({ flags, context }: { flags: Readonly<Record<string, unknown>>; context: Context }) => {
    const url = probeUrl(text(flags, "host") ?? PROBE_URL);
    const rows = await allChecks(context, { url, agent: text(flags, "agent") });
    return {
      kind: "report",
      rows,
      columns: ["check", "result", "detail", "fix"],
      exitCode: rows.some(({ result }) => result === "failed") ? 1 : 0,
    };
  },
};

function probeUrl(value: string): string {
  const address = value.includes("://") ? value : `https://${value}/`;
  if (!URL.canParse(address) || new URL(address).protocol !== "https:") {
    throw usageError(`${JSON.stringify(value)} is not an https address`);
  }
  return new URL(address).href;
}
