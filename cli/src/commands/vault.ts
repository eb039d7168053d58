// onecli vault …
import type { Command, Noun } from "../command.ts";
import { submit } from "../payload.ts";
import { clientOf } from "../settings.ts";

const ROTATION_TIMEOUT_MS = 10 * 60_000;

const rotate: Command = {
  name: "rotate",
  summary: "Make a new data key and seal every secret again under it",
  form: "write",
  examples: ["onecli vault rotate"],
  run: async ({ flags, context }) =>
    submit({ flags, description: "seal every secret under a new data key", payload: {} }, async () =>
      (await clientOf(context)).call("rotateVault", {}, { timeoutMs: ROTATION_TIMEOUT_MS }),
    ),
};

export const vault: Noun = { name: "vault", summary: "The keys that seal secrets", commands: [rotate] };
