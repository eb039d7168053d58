// A human's yes or no: polls the gateway for held calls, asks the callback about each once, sends its decision back.
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { call } from "./call.ts";
import { OneCLIError, OneCLIRequestError } from "./errors.ts";
import { type CallOptions, type Connection, exchange } from "./transport.ts";

const heldCall = z.object({
  id: z.string(),
  method: z.string(),
  url: z.string(),
  host: z.string(),
  path: z.string(),
  headers: z.record(z.string(), z.string()),
  bodyPreview: z.string().nullable(),
  summary: z.unknown(),
  agent: z.object({ id: z.string(), name: z.string(), externalId: z.string().nullable() }),
  createdAt: z.string(),
  expiresAt: z.string(),
});
const heldCalls = z.object({ requests: z.array(heldCall), timeoutSeconds: z.number() });

export interface ApprovalRequest extends Omit<z.infer<typeof heldCall>, "summary"> {
  readonly summary?: unknown;
  readonly timeoutSeconds: number;
}
export type ManualApprovalCallback = (request: ApprovalRequest) => Promise<"approve" | "deny">;
export interface ManualApprovalHandle {
  readonly stop: () => void;
}

/** the gateway holds a poll for up to 30 s */
const POLL_TIMEOUT_MS = 35_000;
const RETRY_MS = 5_000;
/** between polls that brought nothing new, should a gateway not hold them */
const IDLE_MS = 200;

interface Poller {
  readonly connection: Connection;
  readonly options: CallOptions;
  readonly callback: ManualApprovalCallback;
  /** ids that the callback is deciding on */
  readonly open: Set<string>;
  gatewayUrl: string | undefined;
}

export function pollApprovals(
  connection: Connection,
  gatewayUrl: string | undefined,
  callback: ManualApprovalCallback,
  options: CallOptions = {},
): ManualApprovalHandle {
  const stopped = new AbortController();
  const open = new Set<string>();
  const settings = { ...options, signal: stopped.signal };
  void poll({ connection, options: settings, callback, open, gatewayUrl }, stopped.signal);
  return { stop: () => stopped.abort() };
}

async function poll(poller: Poller, stopped: AbortSignal): Promise<void> {
  while (!stopped.aborted) {
    const pause = await round(poller).catch(() => RETRY_MS);
    await sleep(pause, undefined, { signal: stopped }).catch(() => undefined);
  }
}

/** One poll; gives the pause before the next one, in `ms`. */
async function round(poller: Poller): Promise<number> {
  poller.gatewayUrl ??= (await call(poller.connection, "gatewayUrl", {}, poller.options)).url;
  const { requests, timeoutSeconds } = await pending(poller);
  const fresh = requests.filter(({ id }) => !poller.open.has(id));
  for (const request of fresh) void ask(poller, { ...request, timeoutSeconds });
  return fresh.length === 0 ? IDLE_MS : 0;
}

async function pending(poller: Poller): Promise<z.infer<typeof heldCalls>> {
  const exclude = [...poller.open].map(encodeURIComponent).join(",");
  const url = `${base(poller)}/v1/approvals/pending${exclude === "" ? "" : `?exclude=${exclude}`}`;
  const options = { ...poller.options, timeoutMs: POLL_TIMEOUT_MS };
  const text = await exchange(poller.connection, { method: "GET", url }, options);
  return heldCalls.parse(JSON.parse(text));
}

function base(poller: Poller): string {
  if (poller.gatewayUrl === undefined) throw new OneCLIError("the gateway's address is not known yet");
  return poller.gatewayUrl.replace(/\/+$/, "");
}

/** A callback that throws, or a decision that is not taken, leaves the call open: the next poll brings it again. */
async function ask(poller: Poller, request: ApprovalRequest): Promise<void> {
  poller.open.add(request.id);
  try {
    await decide(poller, request.id, await poller.callback(request));
  } catch {
    await sleep(RETRY_MS, undefined, { signal: poller.options.signal, ref: false }).catch(() => undefined);
  } finally {
    poller.open.delete(request.id);
  }
}

async function decide(poller: Poller, id: string, decision: "approve" | "deny"): Promise<void> {
  const url = `${base(poller)}/v1/approvals/${encodeURIComponent(id)}/decision`;
  try {
    await exchange(poller.connection, { method: "POST", url, body: { decision } }, poller.options);
  } catch (error) {
    if (!isOver(error)) throw error;
  }
}

/** Somebody else decided, or the time is up. */
function isOver(error: unknown): boolean {
  return error instanceof OneCLIRequestError && (error.statusCode === 404 || error.statusCode === 410);
}
