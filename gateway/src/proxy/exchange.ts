// A recorded request on its way to the origin and back: undici's handler and the client's answer in one object, so
// that the hot path makes no closures. Streams both ways; an abort on one side ends the other.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { Dispatcher } from "undici";
import type { Closing } from "../audit/contract.ts";
import { UnreadableTokens } from "../issued/answer.ts";
import type { Snapshot } from "../policy/contract.ts";
import { endWatch } from "./departure.ts";
import { failureOf, UnsearchableCoding } from "./failure.ts";
import { hasOtherCoding, reasonPhrase, responseFields } from "./fields.ts";
import { hintFor } from "./hint.ts";
import { relayInterim } from "./interim.ts";
import type { LiveExchange } from "./live.ts";
import { isExpired } from "./live.ts";
import { originReply } from "./origin-reply.ts";
import type { OriginReply } from "./plain-reply.ts";
import type { DataPlane } from "./plane.ts";
import type { Recorded } from "./record.ts";
import { type Refusal, type RefusalCode, refusal, refusalKinds } from "./refusal.ts";
import { answerRefusal, closeAfter, isAborted } from "./reply.ts";
import type { Relay } from "../websocket/relay.ts";
import { relayUpgrade } from "./upgrade.ts";
import { mayRepeat } from "./repeat.ts";
import { stillPermitted } from "./still-permitted.ts";

const exchangeOf = Symbol("exchange");
const noFields: readonly string[] = [];

type AnswerWithExchange = ServerResponse & { [exchangeOf]?: Exchange };

export class Exchange implements Dispatcher.DispatchHandler, LiveExchange {
  readonly plane: DataPlane;
  readonly recorded: Recorded;
  readonly agentId: string;
  readonly tokenHash: string;
  rosterIndex = -1;
  readonly #request: IncomingMessage;
  readonly #answer: AnswerWithExchange;
  readonly #startedAt: number;
  #controller: Dispatcher.DispatchController | null = null;
  #headersAt: number | null = null;
  #requestBytes = 0;
  #responseBytes = 0;
  #interim = 0;
  #status: number | null = null;
  #outcome: Closing["outcome"] | null = null;
  #error: RefusalCode | null = null;
  #upgraded: Relay | null = null;
  #reply: OriginReply | null = null;
  #answerBegun = false;
  #retried = false;
  #over = false;

  constructor(plane: DataPlane, recorded: Recorded, answer: ServerResponse) {
    const { authenticated } = recorded.credentialed.permitted;
    this.plane = plane;
    this.recorded = recorded;
    this.agentId = authenticated.identity.agent.id;
    this.tokenHash = authenticated.tokenHash;
    this.#request = authenticated.received.request;
    this.#answer = answer;
    this.#startedAt = plane.clock();
  }

  forward(): void {
    const { plane, recorded } = this;
    const { placed, permitted } = recorded.credentialed;
    plane.live.addExchange(this);
    plane.traffic.exchanges += 1;
    if (placed.length > 0) plane.traffic.injected += 1;
    this.#answer[exchangeOf] = this;
    this.#answer.on("close", onAnswerClose);
    this.#answer.on("drain", onAnswerDrain);
    // Refused for what came behind the header section, or left, while the record was written.
    if (this.#answer.headersSent || this.#answer.destroyed || isAborted(this.#request))
      return this.#clientGone();
    const { current } = plane.policy;
    if (permitted.revision !== current.revision && !this.isPermitted(current, plane.clock()))
      return this.end("revoked");
    if (permitted.authenticated.received.expectsContinue && recorded.credentialed.outgoing.body === null)
      this.#answer.writeContinue();
    this.#dispatch();
  }

  #dispatch(): void {
    const { outgoing, permitted } = this.recorded.credentialed;
    const { received } = permitted.authenticated;
    const options: Dispatcher.DispatchOptions = {
      path: outgoing.path + outgoing.query,
      method: outgoing.method,
      headers: outgoing.fields,
      body: outgoing.body ?? (received.hasBody ? this.#request : null),
    };
    if (received.isUpgrade) options.upgrade = "websocket";
    try {
      this.plane.pools.get(this.agentId, received.secure, received.authority).dispatch(options, this);
    } catch (error) {
      this.#fail(error);
    }
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#outcome !== null) controller.abort(new Error("the exchange is over"));
  }

  /** The first bytes of an answer are here. */
  onResponseStarted(): void {
    this.#answerBegun = true;
  }

  onBodySent(chunk: { length: number }): void {
    this.#requestBytes += chunk.length;
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    _: unknown,
    reason?: string,
  ): void {
    const raw = (controller.rawHeaders ?? []) as Buffer[];
    if (status < 200) return this.#relayInterim(controller, status, raw);
    if (hasOtherCoding(raw)) return controller.abort(new Error("bad response"));
    const fields = responseFields(raw);
    this.#headersAt = this.plane.clock();
    this.#status = status;
    if ((status === 401 || status === 403) && this.recorded.credentialed.placed.length === 0)
      fields.push("x-onecli-hint", hintFor(this.plane, this.recorded));
    fields.push("Via", `1.1 ${this.plane.settings.viaPseudonym}`);
    if (!this.#request.complete) {
      // What is left of the upload is not read any more; the client must not take it for read.
      fields.push("Connection", "close");
      closeAfter(this.#answer);
    }
    this.#reply = this.#createReply(controller);
    const started = this.#reply.start({ status, reason: reasonPhrase(reason), fields });
    if (!started) this.#fail(new UnsearchableCoding());
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#responseBytes += chunk.length;
    if (this.#reply?.write(chunk) === false) controller.pause();
  }

  onResponseEnd(controller: Dispatcher.DispatchController): void {
    const raw = controller.rawTrailers as Buffer[] | null | undefined;
    this.#outcome = "complete";
    try {
      this.#reply?.end(raw === null || raw === undefined ? noFields : responseFields(raw));
    } catch {
      // undici takes an answer for done here: nobody else would tell the client that it can't be written.
      this.#outcome = null;
      this.#fail(new Error("bad response"));
    }
  }

  onResponseError(_: unknown, error: Error): void {
    this.#fail(error);
  }

  onRequestUpgrade(
    controller: Dispatcher.DispatchController,
    status: number,
    _: unknown,
    socket: Duplex,
  ): void {
    this.#headersAt = this.plane.clock();
    this.#status = status;
    const client = this.#request.socket;
    this.#answer.removeListener("close", onAnswerClose);
    this.#answer.detachSocket(client);
    endWatch(client);
    this.#upgraded = relayUpgrade({
      client,
      origin: socket,
      key: this.#request.headers["sec-websocket-key"] ?? "",
      status,
      fields: (controller.rawHeaders ?? []) as Buffer[],
      scrubber: this.recorded.credentialed.scrubber,
      rewrite: this.recorded.credentialed.rewriteText,
      onBytes: (direction, count) => {
        if (direction === "request") this.#requestBytes += count;
        else this.#responseBytes += count;
      },
      onEnd: (problem) => this.#upgradeOver(problem),
    });
  }

  /** With a problem before there is a relay, the handshake itself failed and the client did not get its 101. */
  #upgradeOver(problem: RefusalCode | null): void {
    this.#error ??= problem;
    if (problem !== null && this.#upgraded === null) {
      this.#status = refusalKinds[problem].status;
      this.#outcome = "refused";
    }
    this.#outcome ??= problem === null ? "complete" : "origin_aborted";
    this.#close();
  }

  isPermitted(snapshot: Snapshot, now: number): boolean {
    const identity = snapshot.identify(this.tokenHash);
    if (identity === undefined || isExpired(identity.token.expiresAt, now)) return false;
    return stillPermitted(snapshot, this.recorded.credentialed);
  }

  end(reason: "revoked" | "stopped"): void {
    if (this.#upgraded !== null) {
      this.#outcome = reason;
      return this.#upgraded.end(reason);
    }
    this.#stop(
      reason,
      reason === "stopped"
        ? refusal("gateway_restarting", { retryAfterSeconds: 1, close: true })
        : refusal("blocked_by_policy", { message: "The right to this call was withdrawn", close: true }),
    );
  }

  /** For what the client did after the exchange was under way. */
  refuse(refused: Refusal): void {
    this.#stop("refused", refused);
  }

  /** Called when the client's side is done, whatever the way. */
  clientClosed(): void {
    if (this.#outcome === null || !this.#answer.writableFinished) this.#clientGone();
    else this.#close();
  }

  resume(): void {
    this.#reply?.resume();
    this.#controller?.resume();
  }

  #clientGone(): void {
    if (this.#outcome === null || this.#outcome === "complete") this.#outcome = "client_aborted";
    this.#abort();
    this.#close();
  }

  #abort(): void {
    this.#reply?.destroy();
    if (this.#controller === null || this.#controller.aborted) return;
    this.#controller.abort(new Error("the exchange is over"));
  }

  #relayInterim(controller: Dispatcher.DispatchController, status: number, raw: Buffer[]): void {
    this.#interim += 1;
    if (
      !relayInterim(this.#request, this.#answer, {
        status,
        raw,
        count: this.#interim,
        scrubber: this.recorded.credentialed.scrubber,
      })
    )
      controller.abort(new Error("bad response"));
  }

  #createReply(controller: Dispatcher.DispatchController): OriginReply {
    return originReply(this.plane, this.recorded.credentialed, {
      answer: this.#answer,
      onDrain: () => controller.resume(),
      onError: (error) => {
        this.#outcome = null;
        this.#fail(error instanceof UnreadableTokens ? error : new Error("bad response"));
      },
    });
  }

  #fail(error: unknown): void {
    if (this.#outcome !== null) return;
    const { received } = this.recorded.credentialed.permitted.authenticated;
    if (!this.#retried && !this.#answerBegun && mayRepeat(received, error)) return this.#retry();
    const { code, message } = failureOf(error, received);
    const outcome = this.#answer.headersSent ? "origin_aborted" : "refused";
    this.#stop(outcome, refusal(code, { message, detail: { host: received.authority.host } }));
  }

  #retry(): void {
    this.#retried = true;
    this.#controller = null;
    // undici is in the middle of clearing up after the connection.
    setImmediate(() => {
      if (this.#outcome === null) this.#dispatch();
    });
  }

  #stop(outcome: NonNullable<Closing["outcome"]>, refused: Refusal): void {
    this.#outcome = outcome;
    this.#error = refused.refused;
    const { refusals } = this.plane.traffic;
    refusals.set(refused.refused, (refusals.get(refused.refused) ?? 0) + 1);
    if (this.#answer.headersSent) {
      // The status is out: only a cut connection tells the client that the body is not whole.
      this.#answer.socket?.destroy();
      this.#answer.destroy();
    } else {
      answerRefusal(this.#request, this.#answer, refused);
      this.#status = this.#answer.statusCode;
    }
    this.#abort();
  }

  #close(): void {
    if (this.#over) return;
    this.#over = true;
    const { plane } = this;
    const now = plane.clock();
    plane.live.removeExchange(this);
    plane.traffic.requestBytes += this.#requestBytes;
    plane.traffic.responseBytes += this.#responseBytes;
    const statusClass = Math.floor((this.#status ?? 0) / 100);
    plane.traffic.statusClasses[statusClass] = (plane.traffic.statusClasses[statusClass] ?? 0) + 1;
    plane.audit.close({
      exchangeId: this.recorded.exchangeId,
      status: this.#status,
      outcome: this.#outcome ?? "client_aborted",
      error: this.#error,
      requestBytes: this.#requestBytes,
      responseBytes: this.#responseBytes,
      headersMs: this.#headersAt === null ? null : this.#headersAt - this.#startedAt,
      totalMs: now - this.#startedAt,
    });
  }
}

function onAnswerClose(this: AnswerWithExchange): void {
  this[exchangeOf]?.clientClosed();
}

function onAnswerDrain(this: AnswerWithExchange): void {
  this[exchangeOf]?.resume();
}

/** The exchange that gives this answer is refused; false = there is none. */
export function refuseExchange(answer: ServerResponse, refused: Refusal): boolean {
  const exchange = (answer as AnswerWithExchange)[exchangeOf];
  exchange?.refuse(refused);
  return exchange !== undefined;
}
