import type { DataPlane } from "./plane.ts";
import type { Recorded } from "./record.ts";

/** For an origin's 401 or 403 where nothing was injected: the form in which a person can store the missing secret. */
export function hintFor({ settings }: DataPlane, { credentialed }: Recorded): string {
  const { received } = credentialed.permitted.authenticated;
  const host = encodeURIComponent(received.authority.host);
  const path = encodeURIComponent(received.target.path);
  return `${settings.dashboardUrl}/secrets/new?host=${host}&path=${path}`;
}
