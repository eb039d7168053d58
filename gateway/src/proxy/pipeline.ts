// The life of a request: receive → authenticate → decide → enforce → inject → audit.open, committed → forward.
// Fixed stages; each returns a type that only it can make, so a stage that is skipped does not compile.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Decision } from "../policy/contract.ts";
import { type Authenticated, authenticate } from "./authenticate.ts";
import { type Credentialed, credential } from "./credential.ts";
import { enforce, type Permitted } from "./enforce.ts";
import { Exchange } from "./exchange.ts";
import { judge } from "./judge.ts";
import type { DataPlane, Tunnel } from "./plane.ts";
import { receive, type Received } from "./receive.ts";
import { record, type Recorded } from "./record.ts";
import { isRefusal, type Refusal, refusal } from "./refusal.ts";
import { type Answer, challenge, refuse } from "./reply.ts";
import { route } from "./route.ts";

/** One request of a client, from whichever ingress it came. A fault of ours in it is that request's alone. */
export function serve(
  plane: DataPlane,
  request: IncomingMessage,
  answer: ServerResponse,
  tunnel: Tunnel | null,
): void {
  const client: Answer = { plane, request, answer, tunnel, agent: tunnel?.identity.agent ?? null };
  try {
    run(client);
  } catch (error) {
    plane.log.error(
      { kind: error instanceof Error ? error.name : "unknown" },
      "a request could not be served",
    );
    refuse(client, refusal("proxy_internal_error", { close: true }));
  }
}

function run(client: Answer): void {
  const { plane, request, answer, tunnel } = client;
  const received = receive(request, tunnel);
  if (isRefusal(received)) return refuse(client, received);
  const authenticated = authenticate(plane, received);
  if (authenticated === null) return challenge(client);
  const permitted = enforce(plane, authenticated, decided(plane, authenticated));
  if (isRefusal(permitted)) return refuse({ ...client, agent: authenticated.identity.agent }, permitted);
  const ready = () => sendContinue(received, answer);
  credential(plane, permitted, ready, (credentialed) => {
    if (isRefusal(credentialed))
      return refuse({ ...client, agent: authenticated.identity.agent }, credentialed);
    send(client, credentialed);
  });
}

/** The permit is there and the body is wanted now (RFC 9110 section 10.1.1). */
function sendContinue({ expectsContinue }: Received, answer: ServerResponse): void {
  if (expectsContinue) answer.writeContinue();
}

function decided(plane: DataPlane, authenticated: Authenticated): Decision {
  return judge(route(plane, authenticated), authenticated.received);
}

function send(client: Answer, credentialed: Credentialed): void {
  const { plane } = client;
  record(plane, credentialed, (recorded: Recorded | Refusal) => {
    if (isRefusal(recorded))
      return refuse({ ...client, agent: credentialed.permitted.authenticated.identity.agent }, recorded);
    new Exchange(plane, recorded, client.answer).forward();
  });
}

export type { Authenticated, Credentialed, Permitted, Received, Recorded };
