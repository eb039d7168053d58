// Asks the system's resolver within bounds: getaddrinfo can't be cancelled and holds a thread until it ends, so calls
// at once are limited, those who ask for the same name share one, and what nobody waits for any more is not asked.
import { limits } from "../limits.ts";
import { DialError } from "./contract.ts";

/** Asked for exactly the bytes of the name; answers literal addresses in the order to try them. */
export type Lookup = (name: string) => Promise<readonly string[]>;

export type BoundedLookup = (name: string, signal: AbortSignal) => Promise<readonly string[]>;

/** The result rejects with DialError `origin_unreachable`, or the signal's reason. Nothing is kept after the answer. */
export function boundedLookup(lookup: Lookup): BoundedLookup {
  const queue: Queue = { lookup, byName: new Map(), waiting: [], running: 0 };
  return async (name, signal) => {
    signal.throwIfAborted();
    const shared = queue.byName.get(name) ?? begin(queue, name);
    shared.askers += 1;
    try {
      return await unlessAborted(shared.answer.promise, signal);
    } finally {
      shared.askers -= 1;
    }
  };
}

interface Question {
  readonly name: string;
  readonly answer: PromiseWithResolvers<readonly string[]>;
  askers: number;
}

interface Queue {
  readonly lookup: Lookup;
  readonly byName: Map<string, Question>;
  readonly waiting: Question[];
  running: number;
}

function begin(queue: Queue, name: string): Question {
  if (queue.waiting.length >= limits.originLookupQueueMax) {
    throw unresolved(name, "too many names are being resolved");
  }
  const question: Question = { name, answer: Promise.withResolvers(), askers: 0 };
  // All askers may have left when it fails.
  question.answer.promise.catch(() => {});
  queue.byName.set(name, question);
  if (queue.running < limits.originLookupsMax) void ask(queue, question);
  else queue.waiting.push(question);
  return question;
}

async function ask(queue: Queue, question: Question): Promise<void> {
  queue.running += 1;
  try {
    question.answer.resolve(checked(question.name, await queue.lookup(question.name)));
  } catch (error) {
    const known = error instanceof DialError;
    question.answer.reject(known ? error : unresolved(question.name, "its name can't be resolved", error));
  } finally {
    queue.running -= 1;
    queue.byName.delete(question.name);
    askNext(queue);
  }
}

function askNext(queue: Queue): void {
  for (let next = queue.waiting.shift(); next !== undefined; next = queue.waiting.shift()) {
    if (next.askers > 0) return void ask(queue, next);
    queue.byName.delete(next.name);
  }
}

/** Order kept, repetitions dropped. What is not a plain address (a zone id) is left for the guard to refuse. */
function checked(name: string, addresses: readonly string[]): string[] {
  const distinct = [...new Set(addresses)].slice(0, limits.resolvedAddressesMax);
  if (distinct.length === 0) throw unresolved(name, "its name has no address");
  return distinct;
}

function unresolved(name: string, why: string, cause?: unknown): DialError {
  return new DialError("origin_unreachable", `${name} can't be reached: ${why}`, { cause });
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = () => reject(signal.reason as Error);
    signal.addEventListener("abort", abort, { once: true });
    void promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
