// What a secret must be before it is kept: placeable, in linear time, without a rival for its slot.
import { RE2JS } from "re2js";
import type { Credential, Injection, SecretType } from "../model.ts";
import type { ApiParts } from "./contract.ts";
import { reservedVariables } from "./container-environment.ts";
import { conflict, invalid } from "./problem.ts";

/** Everything but the value. @throws ApiError 400 naming the member, 409 naming the other secret */
export function checkCredential({ policy, store }: ApiParts, credential: Credential): void {
  const host = policy.validateHostPattern(credential.hostPattern, { forSecret: true });
  if (!host.ok) throw invalid("hostPattern", host.message);
  const path = credential.pathPattern === null ? null : policy.validatePathPattern(credential.pathPattern);
  if (path !== null && !path.ok) throw invalid("pathPattern", path.message);
  checkInjections(credential);
  checkEnvironmentName(credential.envName);
  checkRotation(credential);
  checkIssuesTokens(policy, credential);
  const others = store.secrets.list().filter((other) => other.id !== credential.id);
  const rival = policy.findConflict(credential, others);
  if (rival !== null) {
    throw conflict(`the secret "${rival.name}" is placed in the same slot on the same host and path already`);
  }
}

/** A Claude Code OAuth token is sent in another field than an API key. */
export function authModeOf(type: SecretType, value: string): Credential["authMode"] {
  if (type !== "anthropic") return null;
  return value.startsWith("sk-ant-oat") ? "oauth" : "api-key";
}

export function valueWarnings(value: string): string[] {
  const isShort = Buffer.byteLength(value) < VALUE_BYTES_SCRUBBED_MIN;
  return isShort
    ? ["the value is shorter than 8 bytes: it can't be recognised and removed in responses"]
    : [];
}

const VALUE_BYTES_SCRUBBED_MIN = 8;

/** @throws ApiError 400 when the value can't stand where it would be placed */
export function checkValue(credential: Credential, value: string): void {
  if (!value.isWellFormed()) throw invalid("value", "must be well-formed Unicode");
  const bad = placesOf(credential).find(
    (place) => !isFieldValue(place.format.replace("{value}", () => value)),
  );
  if (bad !== undefined) {
    throw invalid("value", "is placed in a header, which holds printable Latin-1 characters only");
  }
}

/** The kept value was checked for the places it had; a stricter place needs to see it again. */
export function checkNewPlaces(before: Credential, after: Credential): void {
  const isStricter = placesOf(after).length > 0 && placesOf(before).length === 0;
  if (isStricter) throw invalid("value", "send it again: it is placed in a header now and was not before");
}

/** RFC 9110 section 5.5: visible characters, obs-text, space and tab. */
function isFieldValue(text: string): boolean {
  return /^[\t\x20-\x7e\x80-\xff]*$/.test(text);
}

/** Header fields in which the value stands as it is; in queries, paths and Basic credentials it is encoded. */
function placesOf({ type, injections }: Credential): { format: string }[] {
  if (type !== "generic") return [{ format: "{value}" }];
  return injections.flatMap((injection) => {
    if ("headerName" in injection) return [{ format: injection.valueFormat }];
    const isSwapped = "placeholder" in injection && injection.placeholder.includes("header");
    return isSwapped || "basic" in injection ? [{ format: "{value}" }] : [];
  });
}

function checkInjections({ type, injections }: Credential): void {
  if (type === "generic" && injections.length === 0) {
    throw invalid("injectionConfig", "is required: say where a generic secret is placed");
  }
  if (type !== "generic" && injections.length > 0) {
    throw invalid("injectionConfig", `must be absent: where the key is placed follows from the type ${type}`);
  }
  for (const [index, injection] of injections.entries()) {
    const field = injections.length === 1 ? "injectionConfig" : `injectionConfig.${index}`;
    if ("headerName" in injection) checkHeaderName(field, injection);
    if ("pathRegex" in injection) checkPathRegex(field, injection.pathRegex);
  }
}

/** Framing, routing and hop-by-hop fields (RFC 9110 sections 7.2, 7.6.1, 8.6 and 10.1.1; RFC 9112 section 6.1). */
const forbiddenFields = new Set(
  "host content-length transfer-encoding connection te trailer upgrade keep-alive expect via http2-settings".split(
    " ",
  ),
);

function checkHeaderName(field: string, injection: Extract<Injection, { headerName: string }>): void {
  const name = injection.headerName.toLowerCase();
  if (forbiddenFields.has(name) || name.startsWith("proxy-")) {
    throw invalid(`${field}.headerName`, "must not be a field that frames or routes the message");
  }
  if (!isFieldValue(injection.valueFormat)) {
    throw invalid(`${field}.valueFormat`, "must be printable Latin-1 characters");
  }
}

/** RE2 syntax: the agent chooses the path, so matching must be linear in it. */
function checkPathRegex(field: string, pathRegex: string): void {
  try {
    RE2JS.compile(pathRegex);
  } catch {
    throw invalid(
      `${field}.pathRegex`,
      "must be a regular expression in RE2 syntax (no look-around, no back-references)",
    );
  }
}

/** A fake key under such a name would break the agent's way to the gateway, or what it runs. */
function checkEnvironmentName(name: string | null): void {
  if (name === null) return;
  const isReserved = reservedVariables.has(name.toUpperCase()) || /^(?:LD|DYLD)_/i.test(name);
  if (isReserved) throw invalid("envName", "is a variable with a meaning of its own; choose another name");
}

function checkIssuesTokens(policy: ApiParts["policy"], { type, issuesTokens }: Credential): void {
  if (issuesTokens === null) return;
  if (type !== "generic") throw invalid("issuesTokens", `must be absent for the type ${type}`);
  const host = policy.validateHostPattern(issuesTokens.hostPattern, { forSecret: true });
  if (!host.ok) throw invalid("issuesTokens.hostPattern", host.message);
  const path =
    issuesTokens.pathPattern === null ? null : policy.validatePathPattern(issuesTokens.pathPattern);
  if (path !== null && !path.ok) throw invalid("issuesTokens.pathPattern", path.message);
}

/** A fake key is only placed in calls that hold it; other places are met by every call of the host. */
export function issuerWarnings({ issuesTokens, pathPattern, injections }: Credential): string[] {
  const isEverywhere = pathPattern === null && !injections.every((one) => "placeholder" in one);
  return issuesTokens !== null && isEverywhere
    ? [
        "every answer of this host is read for tokens and a long one is refused: give the path of the token endpoint",
      ]
    : [];
}

function checkRotation({ rotation }: Credential): void {
  if (rotation === null) return;
  const sources = [rotation.command, rotation.webhook].filter((source) => source !== undefined).length;
  if (sources > 1) throw invalid("rotation", "must name a command or a webhook, not both");
  if (sources === 0 && rotation.rotateEvery !== undefined) {
    throw invalid("rotation.rotateEvery", "needs a command or a webhook that gives the new value");
  }
}
