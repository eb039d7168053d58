// Which ports agents may call at all, whatever the way they come in.
import { formatAuthority } from "../target/authority.ts";
import type { Authority } from "../target/contract.ts";
import type { DataPlane } from "./plane.ts";
import { type Refusal, refusal } from "./refusal.ts";

export function portProblem(plane: DataPlane, authority: Authority): Refusal | null {
  const { port } = authority;
  if (plane.settings.allowedPorts.has(port) || plane.policy.current.namedPorts.has(port)) return null;
  return refusal("destination_not_allowed", {
    message: `Port ${port} is not open to agents: a secret, a rule or ONECLI_ALLOW_PORTS must name it`,
    detail: { host: formatAuthority(authority) },
  });
}
