// The answer of an origin that was sent no credential: handed on as it is.
import type { ServerResponse } from "node:http";
import { pairs } from "./fields.ts";

export interface AnswerHead {
  readonly status: number;
  readonly reason: string;
  /** name, value, name, value … */
  readonly fields: string[];
}

/** Where an exchange puts the origin's answer. */
export interface OriginReply {
  /** false = it can't be passed on: nothing was sent */
  start(head: AnswerHead): boolean;
  /** false = wait until the client took what it was sent */
  write(chunk: Buffer): boolean;
  end(trailers: readonly string[]): void;
  /** The client took what it was sent. */
  resume(): void;
  destroy(): void;
}

/** A class, because the hot path makes no closures. */
export class PlainReply implements OriginReply {
  readonly #answer: ServerResponse;

  constructor(answer: ServerResponse) {
    this.#answer = answer;
  }

  start({ status, reason, fields }: AnswerHead): boolean {
    begin(this.#answer, status, reason, fields);
    return true;
  }

  write(chunk: Buffer): boolean {
    return this.#answer.write(chunk);
  }

  end(trailers: readonly string[]): void {
    finish(this.#answer, trailers);
  }

  resume(): void {}
  destroy(): void {}
}

export function begin(answer: ServerResponse, status: number, reason: string, fields: string[]): void {
  answer.writeHead(status, reason, fields);
  // Sent with the first bytes of the body if those are here already, else alone: an event stream's client waits.
  process.nextTick(flushFields, answer);
}

export function finish(answer: ServerResponse, trailers: readonly string[]): void {
  if (trailers.length > 0 && answer.chunkedEncoding) answer.addTrailers(pairs(trailers));
  answer.end();
}

function flushFields(answer: ServerResponse): void {
  if (!answer.writableEnded && !answer.destroyed) answer.flushHeaders();
}
