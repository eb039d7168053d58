// What the page asks of the gateway: two routes that need no key.

export type Status =
  | { readonly kind: "asking" }
  | { readonly kind: "running"; readonly version: string }
  | { readonly kind: "silent" };

/** Never throws: a gateway that does not answer is a status too. */
export async function askStatus(signal: AbortSignal): Promise<Status> {
  try {
    const probe = await fetch("/healthz", { signal });
    const health: unknown = await (await fetch("/v1/health", { signal })).json();
    const version = versionOf(health);
    return probe.ok && version !== null ? { kind: "running", version } : { kind: "silent" };
  } catch {
    return { kind: "silent" };
  }
}

function versionOf(health: unknown): string | null {
  if (typeof health !== "object" || health === null || !("version" in health)) return null;
  return typeof health.version === "string" ? health.version : null;
}
