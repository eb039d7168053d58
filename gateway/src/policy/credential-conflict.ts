// Two credentials for one place in the same requests: only one could win, so the second is refused when it is saved.
import type { Credential, HttpMethod, Injection } from "../model.ts";
import { CREDENTIAL_PORT, parseHostPattern } from "./match-host.ts";
import { compilePath } from "./match-path.ts";

/** The first one that has the candidate's slot, host, port and path, and a method in common; null = none. */
export function findConflict(candidate: Credential, existing: readonly Credential[]): Credential | null {
  const slots = new Set(slotsOf(candidate));
  const reach = reachOf(candidate);
  const conflicts = (other: Credential) =>
    other.id !== candidate.id &&
    reachOf(other) === reach &&
    overlap(candidate.methods, other.methods) &&
    slotsOf(other).some((slot) => slots.has(slot));
  return existing.find(conflicts) ?? null;
}

/** The places a credential is put: `header:name`, `query:name`, `path`. A fake key is swapped where it stands: none. */
export function slotsOf(credential: Credential): string[] {
  if (credential.injections.length > 0) return credential.injections.flatMap(slotOf);
  if (credential.type === "openai") return ["header:authorization"];
  if (credential.type !== "anthropic") return [];
  return [credential.authMode === "oauth" ? "header:authorization" : "header:x-api-key"];
}

function slotOf(injection: Injection): string[] {
  if ("headerName" in injection) return [`header:${injection.headerName.toLowerCase()}`];
  if ("basic" in injection) return ["header:authorization"];
  if ("paramName" in injection) return [`query:${injection.paramName}`];
  return "placeholder" in injection ? [] : ["path"];
}

/** Host, port and path in one canonical text. */
function reachOf({ hostPattern, pathPattern }: Credential): string {
  const host = parseHostPattern(hostPattern);
  const place = host === null ? hostPattern : `${host.kind} ${host.host} ${host.port ?? CREDENTIAL_PORT}`;
  return `${place} ${compilePath(pathPattern)?.text ?? pathPattern}`;
}

function overlap(a: readonly HttpMethod[] | null, b: readonly HttpMethod[] | null): boolean {
  return a === null || b === null || a.some((method) => b.includes(method));
}
