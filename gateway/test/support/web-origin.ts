// A small web site over TLS for real programs: pages, streams, big bodies, redirects; it notes what it was sent.
import { createHash } from "node:crypto";
import { type IncomingMessage, type ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { testAuthority } from "./test-authority.ts";

export interface Visit {
  readonly method: string;
  readonly host: string;
  readonly url: string;
  readonly authorization: string | null;
  readonly expect: string | null;
  readonly bodyBytes: number;
  /** hex */
  readonly bodyDigest: string;
}

export type Page = (request: IncomingMessage, response: ServerResponse) => void;

export interface WebOrigin {
  readonly port: number;
  readonly ca: string;
  readonly visits: Visit[];
  /** Lets the streams that wait after their first event go on to their end. */
  finishStreams(): void;
  close(): Promise<void>;
}

export interface WebOriginOptions {
  readonly names: readonly string[];
  /** answers what is none of the pages below, and reads the request itself */
  readonly other?: Page;
}

export const bigBody = (bytes: number): Buffer => Buffer.alloc(bytes, "0123456789abcdef-");
export const digestOf = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

export async function startWebOrigin({ names, other }: WebOriginOptions): Promise<WebOrigin> {
  const visits: Visit[] = [];
  const waiting = new Set<() => void>();
  const pages: Readonly<Record<string, Page>> = {
    plain: (_, response) => void response.end("plain page\n"),
    upload: (_, response) => void response.end(visits.at(-1)?.bodyDigest),
    big: ({ url = "" }, response) => void response.end(bigBody(Number(url.split("/")[2]))),
    redirect: ({ url = "" }, response) =>
      void response.writeHead(302, { location: decodeURIComponent(url.split("?")[1] ?? "") }).end(),
    stream: (_, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" }).write("data: first\n\n");
      waiting.add(() => response.end("data: last\n\n"));
    },
  };
  const server = createServer({ ...testAuthority().issue({ names }) }, (request, response) => {
    const page = pages[request.url?.split(/[/?]/)[1] ?? ""];
    if (page === undefined && other !== undefined) return other(request, response);
    note(request, visits, () => (page ?? notFound)(request, response));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    ca: testAuthority().ca,
    visits,
    finishStreams() {
      for (const finish of waiting) finish();
      waiting.clear();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const notFound: Page = (_, response) => void response.writeHead(404).end("no such page\n");

function note(request: IncomingMessage, visits: Visit[], done: () => void): void {
  const digest = createHash("sha256");
  let bodyBytes = 0;
  request.on("data", (chunk: Buffer) => {
    digest.update(chunk);
    bodyBytes += chunk.length;
  });
  request.on("end", () => {
    const { method = "", url = "", headers } = request;
    visits.push({
      method,
      host: headers.host ?? "",
      url,
      authorization: headers.authorization ?? null,
      expect: headers.expect ?? null,
      bodyBytes,
      bodyDigest: digest.digest("hex"),
    });
    done();
  });
}
