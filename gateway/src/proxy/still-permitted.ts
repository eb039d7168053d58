import type { Snapshot } from "../policy/contract.ts";
import { decide } from "../policy/decide.ts";
import type { Credentialed } from "./credential.ts";

/** The same question as at the start, asked of another snapshot: may this go on, with what was placed in it? */
export function stillPermitted(snapshot: Snapshot, { permitted, placed }: Credentialed): boolean {
  const { received, identity } = permitted.authenticated;
  const route = snapshot.route(identity.agent.id, received.authority);
  const decision = decide(route, { method: received.method, target: received.target });
  if (decision.effect === "deny") return false;
  return placed.every((credential) => decision.credentials.some(({ id }) => id === credential.id));
}
