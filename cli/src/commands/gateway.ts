// onecli gateway …
import { existsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { runChild } from "../child.ts";
import type { Command, Noun } from "../command.ts";
import { CliError } from "../errors.ts";
import { apiHost, clientOf } from "../settings.ts";

const start: Command = {
  name: "start",
  summary: "Start the gateway in this terminal",
  form: "bare",
  examples: ["onecli gateway start", "ONECLI_PORT=10300 onecli gateway start"],
  run: async ({ context }) => {
    const root = workspaceRoot();
    if (root === undefined) throw notHere();
    const command = [path.join(root, "scripts/run.js"), "gateway/src/main.ts"];
    return { kind: "exit", exitCode: await runChild(process.execPath, command, context.env) };
  },
};

/** The checkout this program runs from; undefined when it was installed from the registry. */
function workspaceRoot(): string | undefined {
  const root = fileURLToPath(new URL("../../..", import.meta.url));
  const needed = ["scripts/run.js", "gateway/src/main.ts"];
  return needed.every((file) => existsSync(path.join(root, file))) ? root : undefined;
}

function notHere(): CliError {
  return new CliError("the gateway is not part of this installation", {
    hint: 'start it from its checkout with "npm start", or with "docker compose up -d"',
  });
}

const status: Command = {
  name: "status",
  summary: "Is it up, which version, how fast does it answer",
  examples: ["onecli gateway status"],
  run: async ({ context }) => {
    const url = await apiHost(context);
    const client = await clientOf(context);
    const started = performance.now();
    const health = await client.call("health");
    const latencyMs = Math.round((performance.now() - started) * 10) / 10;
    return { kind: "object", value: { status: health.status, url, version: health.version, latencyMs } };
  },
};

export const gateway: Noun = { name: "gateway", summary: "Start it, see it", commands: [start, status] };
