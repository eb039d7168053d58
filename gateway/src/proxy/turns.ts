// One request at a time on a connection, in the order they came (RFC 9112 section 9.3.2). Node hands over pipelined
// requests at once; answers that wait for their socket would never hear that the client is gone.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { limits } from "../limits.ts";

export interface Turn {
  readonly request: IncomingMessage;
  readonly answer: ServerResponse;
}

interface Line {
  /** has started and is not answered yet, or was answered last */
  running: Turn;
  last: Turn;
  waiting: number;
}

const line = Symbol("line");
type ClientSocket = Duplex & { [line]?: Line };

/** Calls `start` once every earlier answer on the connection is out; never, when the connection goes first. */
export function takeTurn(turn: Turn, start: () => void): void {
  const socket = turn.request.socket as ClientSocket;
  // The answer before closed the connection: what comes behind it is not served (RFC 9112 section 9.6).
  if (socket.writableEnded) return;
  const queue = socket[line];
  if (queue === undefined || queue.last.answer.writableFinished) {
    socket[line] = { running: turn, last: turn, waiting: 0 };
    start();
    return;
  }
  if (queue.waiting >= limits.requestsPipelinedMax) return void socket.destroy();
  const before = queue.last;
  queue.last = turn;
  queue.waiting += 1;
  before.answer.once("close", () => {
    if (socket.destroyed || socket.writableEnded || !before.answer.writableFinished) return;
    queue.waiting -= 1;
    queue.running = turn;
    start();
  });
}

/** The request that is being answered on this connection. */
export function runningTurn(socket: Duplex): Turn | undefined {
  const found = (socket as ClientSocket)[line]?.running;
  return found === undefined || found.answer.writableFinished ? undefined : found;
}
