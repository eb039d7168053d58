// The control plane's door on the shared port: probes, dashboard, then the API. Only targets that start with `/` come
// here; hono would serve an absolute one as a route of ours.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { ControlPlane } from "./proxy/server.ts";

export interface ControlPlaneParts {
  /** The API, which is loaded while the proxy serves already. */
  readonly api: () => Promise<(request: IncomingMessage, answer: ServerResponse) => void>;
  readonly isReady: () => boolean;
  /** true = it was a page of the dashboard and has been answered */
  readonly dashboard: (request: IncomingMessage, answer: ServerResponse) => boolean;
}

export function createControlPlane({ api, isReady, dashboard }: ControlPlaneParts): ControlPlane {
  return (request, answer) => {
    if (request.url === "/healthz") return probe(answer, true);
    if (request.url === "/readyz") return probe(answer, isReady());
    if (dashboard(request, answer)) return;
    api().then(
      (serve) => {
        // Answered meanwhile, because of what the client sent behind the header section.
        if (!answer.headersSent && !answer.destroyed) serve(request, answer);
      },
      () => probe(answer, false),
    );
  };
}

function probe(answer: ServerResponse, good: boolean): void {
  const body = JSON.stringify({ status: good ? "ok" : "unavailable" });
  answer.writeHead(good ? 200 : 503, { "content-type": "application/json", "cache-control": "no-store" });
  answer.end(body);
}
