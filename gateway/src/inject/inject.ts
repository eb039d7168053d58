// Credentials onto the wire: the last stage before the record is committed and the request leaves.
import type { Credential, Injection } from "../model.ts";
import type { Secret } from "../vault/secret.ts";
import type { InjectionOutcome, Outgoing } from "./contract.ts";
import { FAKE_MARK, GENERIC_PLACEHOLDERS, placeholderFor } from "./placeholder.ts";
import {
  basicCredentials,
  removeField,
  replaceInPath,
  setField,
  setPathTemplate,
  setQueryParameter,
} from "./place.ts";
import { swapOn } from "./swap.ts";

export interface Injector {
  /** true = a credential may be placed in the body, which must then be held whole */
  needsBody(credentials: readonly Credential[]): boolean;
  inject(agentId: string, credentials: readonly Credential[], outgoing: Outgoing): InjectionOutcome;
  /** Exchanges fake keys in WebSocket text messages; null = no credential is placed there. */
  textRewriter(agentId: string, credentials: readonly Credential[]): TextRewriter | null;
  /** The fake key that this agent holds for this secret. */
  placeholder(agentId: string, credential: Credential): string;
}

export interface TextRewriter {
  readonly rewrite: (text: string) => string;
  /** the credentials whose value may be placed */
  readonly credentials: readonly Credential[];
}

export interface InjectorParts {
  /** undefined = the secret is gone or can't be opened */
  readonly plaintext: (credentialId: string) => Secret | undefined;
  /** 32 bytes of this installation */
  readonly placeholderKey: Buffer;
}

const nothingPlaced: readonly Credential[] = [];

export function createInjector(parts: InjectorParts): Injector {
  const placeholder = cachedPlaceholders(parts.placeholderKey);
  return {
    needsBody: (credentials) => credentials.some((credential) => placesOn(credential, "body")),
    placeholder,
    textRewriter(agentId, credentials) {
      const swapped = credentials.filter((credential) => placesOn(credential, "websocket"));
      if (swapped.length === 0) return null;
      const rewrite = (text: string) =>
        swapped.reduce((now, credential) => {
          const secret = parts.plaintext(credential.id);
          const fake = placeholder(agentId, credential);
          return secret === undefined ? now : swapInMessage(now, fake, secret);
        }, text);
      return { rewrite, credentials: swapped };
    },
    inject(agentId, credentials, outgoing) {
      let placed = nothingPlaced;
      for (const credential of credentials) {
        const secret = parts.plaintext(credential.id);
        if (secret === undefined) return unavailable(credential);
        const outcome = place({ credential, secret, outgoing, fake: () => placeholder(agentId, credential) });
        if (outcome === "twice") return plantedTwice(credential);
        if (outcome === "placed") placed = [...placed, credential];
      }
      const left = placeholderLeft(outgoing);
      return left === null ? { ok: true, placed } : notInjected(left, credentials);
    },
  };
}

interface Placing {
  readonly credential: Credential;
  readonly secret: Secret;
  readonly outgoing: Outgoing;
  readonly fake: () => string;
}

type Placed = "placed" | "untouched" | "twice";

function place(placing: Placing): Placed {
  const { credential, secret, outgoing } = placing;
  if (credential.type === "anthropic") return placeAnthropic(credential, secret, outgoing);
  if (credential.type === "openai") {
    setField(outgoing, "Authorization", `Bearer ${secret.reveal()}`);
    return "placed";
  }
  let result: Placed = "untouched";
  for (const injection of credential.injections) {
    const one = placeGeneric(injection, placing);
    if (one === "twice") return one;
    if (one === "placed") result = one;
  }
  return result;
}

function placeAnthropic(credential: Credential, secret: Secret, outgoing: Outgoing): Placed {
  if (credential.authMode !== "oauth") {
    removeField(outgoing, "authorization");
    setField(outgoing, "x-api-key", secret.reveal());
    return "placed";
  }
  // Claude Code exchanges its OAuth token once and then uses the key it got: only a bearer is replaced.
  if (!hasBearer(outgoing)) return "untouched";
  setField(outgoing, "Authorization", `Bearer ${secret.reveal()}`);
  return "placed";
}

function placeGeneric(injection: Injection, { secret, outgoing, fake }: Placing): Placed {
  if ("placeholder" in injection) return swapPlaceholder(injection.placeholder, { secret, outgoing, fake });
  const value = secret.reveal();
  if ("headerName" in injection)
    setField(outgoing, injection.headerName, formatted(injection.valueFormat, value));
  else if ("basic" in injection) {
    setField(outgoing, "Authorization", basicCredentials(injection.basic.username, value));
  } else if ("paramName" in injection) {
    setQueryParameter(outgoing, injection.paramName, formatted(injection.paramFormat, value));
  } else if ("pathTemplate" in injection) setPathTemplate(outgoing, injection.pathTemplate, value);
  else return replaceInPath(outgoing, injection, value) ? "placed" : "untouched";
  return "placed";
}

type Surfaces = Extract<Injection, { placeholder: unknown }>["placeholder"];

function swapPlaceholder(surfaces: Surfaces, placing: Pick<Placing, "secret" | "outgoing" | "fake">): Placed {
  const swap = { fake: placing.fake(), real: () => placing.secret.reveal() };
  let found = 0;
  for (const surface of surfaces) {
    found += swapOn(surface, placing.outgoing, swap);
    if (found > 1) return "twice";
  }
  return found === 1 ? "placed" : "untouched";
}

function formatted(format: string, value: string): string {
  return format === "{value}" ? value : format.replace("{value}", () => value);
}

function placesOn(credential: Credential, surface: "body" | "websocket"): boolean {
  return credential.injections.some((one) => "placeholder" in one && one.placeholder.includes(surface));
}

/** Once a message, as on every surface; a JSON message gets the value as JSON writes it. */
function swapInMessage(text: string, fake: string, secret: Secret): string {
  const first = text.indexOf(fake);
  if (first === -1 || text.includes(fake, first + 1)) return text;
  const value = /^\s*[{["]/.test(text) ? JSON.stringify(secret.reveal()).slice(1, -1) : secret.reveal();
  return text.slice(0, first) + value + text.slice(first + fake.length);
}

function hasBearer({ fields }: Outgoing): boolean {
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] as string;
    if (name.length === 13 && name.toLowerCase() === "authorization") {
      return /^bearer /i.test(fields[i + 1] as string);
    }
  }
  return false;
}

/** Fields in which the bare word `placeholder` means a key that nobody filled in. */
const authenticationFields = new Set([
  "authorization",
  "x-api-key",
  "api-key",
  "x-goog-api-key",
  "private-token",
]);

const mayAuthenticate = Array.from({ length: 32 }, (_, length) =>
  [...authenticationFields].some((name) => name.length === length),
);

function placeholderLeft(outgoing: Outgoing): string | null {
  const { fields } = outgoing;
  if (outgoing.path.includes(FAKE_MARK)) return "the path";
  if (outgoing.query !== "" && outgoing.query.includes(FAKE_MARK)) return "the query";
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const value = fields[i + 1] as string;
    if (value.includes(FAKE_MARK)) return `the field ${fields[i]}`;
    const name = fields[i] as string;
    if (!mayAuthenticate[name.length]) continue;
    if (authenticationFields.has(name.toLowerCase()) && isPlaceholderCredential(value))
      return `the field ${fields[i]}`;
  }
  return outgoing.body !== null && outgoing.body.includes(FAKE_MARK) ? "the body" : null;
}

function isPlaceholderCredential(value: string): boolean {
  const space = value.indexOf(" ");
  const credentials = (space === -1 ? value : value.slice(space + 1)).trim();
  if (GENERIC_PLACEHOLDERS.has(credentials)) return true;
  if (space === -1 || value.slice(0, space).toLowerCase() !== "basic") return false;
  const decoded = Buffer.from(credentials, "base64").toString("utf8");
  return decoded.includes(FAKE_MARK) || decoded.split(":").some((part) => GENERIC_PLACEHOLDERS.has(part));
}

function notInjected(where: string, credentials: readonly Credential[]): InjectionOutcome {
  const secret = credentials.at(-1)?.name ?? null;
  const message =
    secret === null
      ? `A fake key stands in ${where}, and no secret is placed on this route`
      : `A fake key stands in ${where}, where the secret of this route is not placed`;
  return { ok: false, code: "placeholder_not_injected", message, secret };
}

function plantedTwice(credential: Credential): InjectionOutcome {
  const message = "The fake key stands more than once in the request; it is exchanged once";
  return { ok: false, code: "placeholder_not_injected", message, secret: credential.name };
}

function unavailable(credential: Credential): InjectionOutcome {
  const message = "The secret of this route could not be opened";
  return { ok: false, code: "placeholder_not_injected", message, secret: credential.name };
}

const PLACEHOLDERS_CACHED_MAX = 10_000;

function cachedPlaceholders(key: Buffer): Injector["placeholder"] {
  const known = new Map<string, string>();
  return (agentId, credential) => {
    if (credential.issued !== null) return credential.issued.placeholder;
    // The shape follows the host and the kind of key, so a change of those makes another fake key.
    const label = `${agentId}/${credential.id}/${credential.hostPattern}/${credential.authMode}`;
    const found = known.get(label);
    if (found !== undefined) return found;
    if (known.size >= PLACEHOLDERS_CACHED_MAX) known.clear();
    const made = placeholderFor(key, agentId, credential);
    known.set(label, made);
    return made;
  };
}
