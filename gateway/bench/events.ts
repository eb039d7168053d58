// One client connection that asks for event streams: how long until the first event is there.
import type { TLSSocket } from "node:tls";
import { EVENT } from "./paths.ts";

export interface EventsConnection {
  /** Resolves when the stream has ended, with the ms from the request to its first event. */
  firstEvent(request: Buffer): Promise<number>;
  close(): void;
}

/** chunked coding, RFC 9112 section 7.1 */
const LAST_CHUNK = "0\r\n\r\n";

export function eventsOn(socket: TLSSocket): EventsConnection {
  return {
    firstEvent: (request) => firstEvent(socket, request),
    close: () => void socket.destroy(),
  };
}

function firstEvent(socket: TLSSocket, request: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    const startedAt = performance.now();
    let text = "";
    let ms: number | null = null;
    const read = (chunk: Buffer): void => {
      text += chunk.toString("latin1");
      if (text.includes(EVENT)) ms ??= performance.now() - startedAt;
      if (!text.endsWith(LAST_CHUNK)) return;
      finish(ms === null ? new Error("a stream without its event") : null);
    };
    const closed = (): void => finish(new Error("the connection was closed before the stream ended"));
    const finish = (error: Error | null): void => {
      socket.off("data", read).off("error", finish).off("close", closed);
      if (error === null && ms !== null) resolve(ms);
      else reject(error ?? new Error("no event"));
    };
    socket.on("data", read).on("error", finish).on("close", closed);
    socket.write(request);
  });
}
