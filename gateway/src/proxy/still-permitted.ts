import type { Snapshot } from "../policy/contract.ts";
import type { Credentialed } from "./credential.ts";
import { judge, judgePlaced } from "./judge.ts";

/** The same question as at the start, asked of another snapshot: may this go on, with what was placed in it? */
export function stillPermitted(snapshot: Snapshot, { permitted, placed, outgoing }: Credentialed): boolean {
  const { received, identity } = permitted.authenticated;
  const route = snapshot.route(identity.agent.id, received.authority);
  const decision = judge(route, received);
  if (decision.effect === "deny" || judgePlaced(route, received, outgoing)?.effect === "deny") return false;
  return placed.every((credential) => decision.credentials.some(({ id }) => id === credential.id));
}
