// The control plane's door on the shared port: probes, then API and dashboard. Only targets that start with `/` come
// here; hono would serve an absolute one as a route of ours.
import type { IncomingMessage, ServerResponse } from "node:http";
import { getRequestListener } from "@hono/node-server";
import type { Api } from "./api/app.ts";
import type { ControlPlane } from "./proxy/server.ts";

export interface ControlPlaneParts {
  readonly api: Api;
  readonly isReady: () => boolean;
  /** true = it was a page of the dashboard and has been answered */
  readonly dashboard: (request: IncomingMessage, answer: ServerResponse) => boolean;
}

export function createControlPlane({ api, isReady, dashboard }: ControlPlaneParts): ControlPlane {
  const listener = getRequestListener(
    (request, env) => api.fetch(request, { source: sourceOf(env as { incoming: IncomingMessage }) }),
    { overrideGlobalObjects: false },
  );
  return (request, answer) => {
    if (request.url === "/healthz") return probe(answer, true);
    if (request.url === "/readyz") return probe(answer, isReady());
    if (dashboard(request, answer)) return;
    void listener(request, answer);
  };
}

function sourceOf({ incoming }: { incoming: IncomingMessage }): string {
  return incoming.socket.remoteAddress ?? "unix";
}

function probe(answer: ServerResponse, good: boolean): void {
  const body = JSON.stringify({ status: good ? "ok" : "unavailable" });
  answer.writeHead(good ? 200 : 503, { "content-type": "application/json", "cache-control": "no-store" });
  answer.end(body);
}
