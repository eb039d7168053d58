// A webhook that makes the new value: POST {"secret":{"id","name"}} is answered {"value":"…"}.
import { z } from "zod";
import type { Credential } from "../model.ts";
import type { Dialer } from "../origin/contract.ts";
import { RotationError } from "./error.ts";
import { type HttpsAnswer, callHttps, parseDestination } from "./https-call.ts";
import { rotationLimits } from "./limits.ts";
import { readText } from "./read-text.ts";

export interface Webhook {
  readonly dialer: Dialer;
  readonly url: string;
  readonly secret: Pick<Credential, "id" | "name">;
  readonly signal: AbortSignal;
}

const WHO = "the webhook";
const answered = z.object({ value: z.string() });

/** The value as it came. @throws RotationError that never quotes the answer */
export function askWebhook({ dialer, url, secret, signal }: Webhook): Promise<string> {
  const { authority, target } = parseDestination(url, WHO);
  const { id, name } = secret;
  const call = {
    dialer,
    authority,
    method: "POST",
    path: target.path + target.query,
    fields: ["content-type", "application/json", "accept", "application/json"],
    body: JSON.stringify({ secret: { id, name } }),
    signal,
  } as const;
  return callHttps({ ...call, fields: [...call.fields] }, readValue);
}

async function readValue({ status, body }: HttpsAnswer): Promise<string> {
  if (status < 200 || status > 299) throw new RotationError(`${WHO} answered ${status}`);
  const text = await readText(body, rotationLimits.newValueBytesMax, WHO);
  const parsed = answered.safeParse(parseJson(text));
  if (!parsed.success) throw new RotationError(`${WHO} did not answer {"value":"…"}`);
  return parsed.data.value;
}

/** undefined = not JSON; the parser's own message quotes what it read. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
