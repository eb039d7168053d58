// The request as it will leave, with the real values in it.
import type { InjectionOutcome, Outgoing } from "../inject/contract.ts";
import type { Credential } from "../model.ts";
import type { TextRewriter } from "../inject/inject.ts";
import { removeField, setField } from "../inject/place.ts";
import { limits } from "../limits.ts";
import type { Scrubber } from "../scrub/scrubber.ts";
import { formatAuthority } from "../target/authority.ts";
import { denied, type Permitted } from "./enforce.ts";
import { requestFields } from "./fields.ts";
import { Gathered } from "./gather.ts";
import { judgePlaced } from "./judge.ts";
import type { LiveConnections } from "./live.ts";
import type { DataPlane } from "./plane.ts";
import { route } from "./route.ts";
import type { Received } from "./receive.ts";
import { isRefusal, type Refusal, refusal } from "./refusal.ts";

declare const credentialedMark: unique symbol;

/** A request ready to leave, not yet on record. Made here only. */
export interface Credentialed {
  readonly [credentialedMark]: true;
  readonly permitted: Permitted;
  readonly outgoing: Outgoing;
  readonly placed: readonly Credential[];
  /** takes the placed values out of the answer; null = none were placed */
  readonly scrubber: Scrubber | null;
  /** the placed one whose answer carries tokens to be kept; null = none */
  readonly issuer: Credential | null;
  /** exchanges fake keys in WebSocket text messages; null = none are exchanged */
  readonly rewriteText: ((text: string) => string) | null;
}

/** Calls `done` at once unless the body must be held whole first; `ready` is called when it may be sent. */
export function credential(
  plane: DataPlane,
  permitted: Permitted,
  ready: () => void,
  done: (result: Credentialed | Refusal) => void,
): void {
  const { received } = permitted.authenticated;
  const outgoing = createOutgoing(plane, received);
  if (outgoing === null) return done(refusal("proxy_loop_detected"));
  if (!received.hasBody || !plane.injector.needsBody(permitted.credentials))
    return done(inject(plane, permitted, outgoing));
  if (plane.live.bodiesHeld >= limits.bodiesHeldMax)
    return done(refusal("overloaded", { retryAfterSeconds: 1 }));
  ready();
  holdBody(plane.live, received, (body) => {
    if ("refused" in body) return done(body);
    outgoing.body = body;
    done(inject(plane, permitted, outgoing));
  });
}

function inject(plane: DataPlane, permitted: Permitted, outgoing: Outgoing): Credentialed | Refusal {
  const { identity } = permitted.authenticated;
  const outcome = plane.injector.inject(identity.agent.id, permitted.credentials, outgoing);
  if (!outcome.ok) return notInjected(outcome);
  const judged = judgedAsPlaced(plane, permitted, outgoing);
  if (isRefusal(judged)) return judged;
  setContentLength(outgoing);
  const rewriter = rewriterOf(plane, permitted);
  const placed = union(outcome.placed, rewriter?.credentials ?? []);
  // An origin may keep what it was sent and show it on another path.
  const { received } = permitted.authenticated;
  const searched = received.secure ? route(plane, permitted.authenticated).reachable : placed;
  const scrubber = plane.scrubbers.scrubberFor(identity.agent.id, searched);
  // The most specific is placed last.
  const issuer = placed.findLast(({ issuesTokens }) => issuesTokens !== null) ?? null;
  if (scrubber !== null || rewriter !== null || issuer !== null) askForSearchable(outgoing);
  return {
    permitted: judged,
    outgoing,
    placed,
    scrubber,
    issuer,
    rewriteText: rewriter?.rewrite ?? null,
  } as unknown as Credentialed;
}

function rewriterOf(plane: DataPlane, { authenticated, credentials }: Permitted): TextRewriter | null {
  const { received, identity } = authenticated;
  return received.isUpgrade ? plane.injector.textRewriter(identity.agent.id, credentials) : null;
}

function notInjected({ code, message, secret }: Extract<InjectionOutcome, { ok: false }>): Refusal {
  const missing = secret === null ? "a secret for this host and path" : "a place for the fake key";
  return refusal(code, { message, detail: { secret, missing } });
}

function judgedAsPlaced(plane: DataPlane, permitted: Permitted, outgoing: Outgoing): Permitted | Refusal {
  const { authenticated } = permitted;
  const decision = judgePlaced(route(plane, authenticated), authenticated.received, outgoing);
  if (decision === null) return permitted;
  if (decision.effect === "deny") return denied(plane, authenticated, decision);
  return { ...permitted, limits: union(permitted.limits, decision.limits) };
}

function union<T>(some: readonly T[], others: readonly T[]): readonly T[] {
  return others.length === 0 ? some : [...new Set([...some, ...others])];
}

/** Delta encodings (RFC 3229) are codings by another name, and in UTF-16 no value looks like itself. */
const UNSEARCHABLE = ["range", "if-range", "sec-websocket-extensions", "a-im", "accept-charset"];

/**
 * The answer must be readable whole: no coding, no part of it (a value read byte by byte would not be seen), and no
 * compression of WebSocket messages (RFC 7692).
 */
function askForSearchable(outgoing: Outgoing): void {
  setField(outgoing, "Accept-Encoding", "identity");
  for (const name of UNSEARCHABLE) removeField(outgoing, name);
}

function createOutgoing(plane: DataPlane, received: Received): Outgoing | null {
  const host = formatAuthority(received.authority, received.secure ? 443 : 80);
  const fields = requestFields(received.request.rawHeaders, host);
  const { viaPseudonym } = plane.settings;
  if (hasPassed(received.request.rawHeaders, viaPseudonym)) return null;
  fields.push("Via", `${received.request.httpVersion} ${viaPseudonym}`);
  return {
    method: received.method,
    path: received.target.path,
    query: received.target.query,
    fields,
    body: null,
  };
}

/** RFC 9110 section 7.6.3: this gateway is in the list already. */
function hasPassed(raw: readonly string[], pseudonym: string): boolean {
  for (let i = 0; i + 1 < raw.length; i += 2) {
    if (raw[i]?.length === 3 && raw[i]?.toLowerCase() === "via" && raw[i + 1]?.includes(pseudonym))
      return true;
  }
  return false;
}

function setContentLength(outgoing: Outgoing): void {
  const { fields, body } = outgoing;
  if (body === null) return;
  const kept: string[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    if ((fields[i] as string).toLowerCase() !== "content-length")
      kept.push(fields[i] as string, fields[i + 1] as string);
  }
  outgoing.fields = [...kept, "Content-Length", String(body.length)];
}

function holdBody(
  live: LiveConnections,
  { request }: Received,
  done: (body: Buffer | Refusal) => void,
): void {
  const held = new Gathered();
  let size = 0;
  if (Number(request.headers["content-length"] ?? 0) > limits.bodyHeldBytesMax) return done(heldTooLarge());
  live.bodiesHeld += 1;
  const release = once(() => (live.bodiesHeld -= 1));
  request.once("close", release);
  request.on("data", (chunk: Buffer) => {
    const before = size;
    size += chunk.length;
    if (size <= limits.bodyHeldBytesMax) held.add(chunk);
    else if (before <= limits.bodyHeldBytesMax) done(heldTooLarge());
  });
  request.on("end", () => {
    release();
    if (size <= limits.bodyHeldBytesMax) done(held.take());
  });
}

function heldTooLarge(): Refusal {
  return refusal("body_too_large", {
    message: `A body in which a secret is placed may have ${limits.bodyHeldBytesMax} bytes at most`,
    close: true,
  });
}

function once(work: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) work();
    isDone = true;
  };
}
