import type { Route } from "../policy/contract.ts";
import type { Authenticated } from "./authenticate.ts";
import type { DataPlane } from "./plane.ts";

/** Rules and credentials for this agent and authority; found once a tunnel and snapshot. */
export function route(plane: DataPlane, { received, identity }: Authenticated): Route {
  const snapshot = plane.policy.current;
  const { tunnel } = received;
  if (tunnel === null) return snapshot.route(identity.agent.id, received.authority);
  if (tunnel.route === null || tunnel.routeRevision !== snapshot.revision) {
    tunnel.route = snapshot.route(identity.agent.id, tunnel.authority);
    tunnel.routeRevision = snapshot.revision;
  }
  return tunnel.route;
}
