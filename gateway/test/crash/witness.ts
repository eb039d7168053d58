// The origin that is asked afterwards: it notes the id of every call that reached it, and with which credential.
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { IncomingMessage, ServerResponse } from "node:http";
import { testAuthority } from "../support/test-authority.ts";

export interface Witness {
  readonly port: number;
  readonly ca: string;
  /** ids of the calls that carried one of the real credentials */
  readonly credentialed: Set<string>;
  /** ids of the calls that carried none */
  readonly bare: Set<string>;
  /** values of the Authorization field that count as real */
  readonly credentials: Set<string>;
  /** calls under /slow whose first half is out */
  readonly halfway: Set<string>;
  close(): Promise<void>;
}

/** How long the second half of an answer under /slow takes. */
const SLOW_MS = 700;
const body = "x".repeat(64);
const fields = { "content-type": "text/plain", "content-length": body.length };

/** `/k/ID` is answered at once, `/slow/ID` in two halves. */
export async function startWitness(names: readonly string[], credential: string): Promise<Witness> {
  const witness = {
    credentialed: new Set<string>(),
    bare: new Set<string>(),
    credentials: new Set([credential]),
    halfway: new Set<string>(),
  };
  const options = { ...testAuthority().issue({ names }), keepAliveTimeout: 0 };
  const server = createServer(options, (request, response) => {
    const [, kind, id = ""] = request.url?.split("/") ?? [];
    const isReal = witness.credentials.has(request.headers.authorization ?? "");
    (isReal ? witness.credentialed : witness.bare).add(id);
    if (kind === "slow") answerInHalves(response, () => witness.halfway.add(id));
    else answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    ...witness,
    port: (server.address() as AddressInfo).port,
    ca: testAuthority().ca,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  request.on("error", () => response.destroy());
  request.resume();
  response.writeHead(200, fields).end(body);
}

function answerInHalves(response: ServerResponse, halfway: () => void): void {
  response.writeHead(200, fields);
  response.write(body.slice(0, body.length / 2), halfway);
  setTimeout(() => response.end(body.slice(body.length / 2)), SLOW_MS);
}
