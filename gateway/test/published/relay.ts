// Stands between a published client and the gateway, passes everything on and notes it: what a client got is seen
// without touching the client.
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Passed {
  readonly method: string;
  readonly url: string;
  /** null while the answer is awaited */
  readonly status: number | null;
  readonly body: string;
}

export interface Relay {
  readonly url: string;
  readonly passed: readonly Passed[];
  close(): Promise<void>;
}

type Noted = { -readonly [name in keyof Passed]: Passed[name] };

export async function startRelay(port: number): Promise<Relay> {
  const passed: Noted[] = [];
  const server = createServer((incoming, answer) => {
    const noted: Noted = { method: incoming.method ?? "", url: incoming.url ?? "", status: null, body: "" };
    passed.push(noted);
    pass(port, { incoming, answer, noted });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    passed,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Passing {
  readonly incoming: IncomingMessage;
  readonly answer: ServerResponse;
  readonly noted: Noted;
}

function pass(port: number, { incoming, answer, noted }: Passing): void {
  const { method, url, headers } = incoming;
  const outgoing = request(
    { host: "127.0.0.1", port, method, path: url, headers, agent: false },
    (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.on("data", (chunk: Buffer) => (noted.body += chunk.toString()));
      response.on("end", () => (noted.status = response.statusCode ?? null));
      response.pipe(answer);
    },
  );
  outgoing.on("error", () => answer.destroy());
  answer.on("close", () => outgoing.destroy());
  incoming.pipe(outgoing);
}
