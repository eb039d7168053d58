// A recorded request on its way to the origin and back: undici's handler and the client's answer in one object, so
// that the hot path makes no closures. Streams both ways; an abort on one side ends the other.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { Dispatcher } from "undici";
import type { Closing } from "../audit/contract.ts";
import { limits } from "../limits.ts";
import type { Snapshot } from "../policy/contract.ts";
import { failureOf } from "./failure.ts";
import { responseFields } from "./fields.ts";
import type { LiveExchange } from "./live.ts";
import { isExpired } from "./live.ts";
import type { DataPlane } from "./plane.ts";
import type { Recorded } from "./record.ts";
import { type RefusalCode, refusal } from "./refusal.ts";
import { answerRefusal } from "./reply.ts";
import { relayUpgrade } from "./upgrade.ts";
import { stillPermitted } from "./still-permitted.ts";

const exchangeOf = Symbol("exchange");
type AnswerWithExchange = ServerResponse & { [exchangeOf]?: Exchange };

export class Exchange implements Dispatcher.DispatchHandler, LiveExchange {
  readonly plane: DataPlane;
  readonly recorded: Recorded;
  readonly agentId: string;
  readonly tokenHash: string;
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
  #upgraded: { end(): void } | null = null;
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
    const { outgoing, permitted, placed } = recorded.credentialed;
    const { received } = permitted.authenticated;
    plane.live.addExchange(this);
    plane.traffic.exchanges += 1;
    if (placed.length > 0) plane.traffic.injected += 1;
    this.#answer[exchangeOf] = this;
    this.#answer.on("close", onAnswerClose);
    this.#answer.on("drain", onAnswerDrain);
    if (this.#answer.destroyed || (this.#request.destroyed && !this.#request.complete))
      return this.#clientGone();
    if (received.expectsContinue) this.#answer.writeContinue();
    const options: Dispatcher.DispatchOptions = {
      path: outgoing.path + outgoing.query,
      method: outgoing.method,
      headers: outgoing.fields,
      body: outgoing.body ?? (received.hasBody ? this.#request : null),
    };
    if (received.isUpgrade) options.upgrade = "websocket";
    try {
      plane.pools.get(this.agentId, received.secure, received.authority).dispatch(options, this);
    } catch (error) {
      this.#fail(error);
    }
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#over) controller.abort(new Error("the exchange is over"));
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
    const fields = responseFields((controller.rawHeaders ?? []) as Buffer[]);
    if (status < 200) return this.#relayInterim(controller, status, fields);
    this.#headersAt = this.plane.clock();
    this.#status = status;
    if ((status === 401 || status === 403) && this.recorded.credentialed.placed.length === 0)
      this.#hint(fields);
    fields.push("Via", `1.1 ${this.plane.settings.viaPseudonym}`);
    this.#answer.writeHead(status, reason ?? "", fields);
    // Sent with the first bytes of the body if those are here already, else alone: an event stream's client waits.
    process.nextTick(flushFields, this.#answer);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#responseBytes += chunk.length;
    if (!this.#answer.write(chunk)) controller.pause();
  }

  onResponseEnd(controller: Dispatcher.DispatchController): void {
    const raw = controller.rawTrailers as Buffer[] | null | undefined;
    if (raw !== null && raw !== undefined && raw.length > 0 && this.#answer.chunkedEncoding) {
      this.#answer.addTrailers(pairs(responseFields(raw)));
    }
    this.#outcome = "complete";
    this.#answer.end();
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
    this.#upgraded = relayUpgrade({
      client,
      origin: socket,
      key: this.#request.headers["sec-websocket-key"] ?? "",
      status,
      fields: (controller.rawHeaders ?? []) as Buffer[],
      onBytes: (direction, count) => {
        if (direction === "request") this.#requestBytes += count;
        else this.#responseBytes += count;
      },
      onEnd: (problem) => {
        if (problem !== null) this.#error = problem;
        this.#outcome ??= problem === null ? "complete" : "origin_aborted";
        this.#close();
      },
    });
  }

  isPermitted(snapshot: Snapshot, now: number): boolean {
    const identity = snapshot.identify(this.tokenHash);
    if (identity === undefined || isExpired(identity.token.expiresAt, now)) return false;
    return stillPermitted(snapshot, this.recorded.credentialed);
  }

  end(reason: "revoked" | "stopped"): void {
    this.#outcome = reason;
    if (this.#upgraded !== null) return this.#upgraded.end();
    if (!this.#answer.headersSent) {
      const code = reason === "stopped" ? "gateway_restarting" : "blocked_by_policy";
      this.#answerFailure(
        code,
        reason === "stopped" ? "The gateway is restarting" : "The right to this call was withdrawn",
      );
    } else this.#answer.destroy();
    this.#abort();
  }

  /** Called when the client's side is done, whatever the way. */
  clientClosed(): void {
    if (this.#outcome === null || !this.#answer.writableFinished) this.#clientGone();
    else this.#close();
  }

  resume(): void {
    this.#controller?.resume();
  }

  #clientGone(): void {
    if (this.#outcome === null || this.#outcome === "complete") this.#outcome = "client_aborted";
    this.#abort();
    this.#close();
  }

  #abort(): void {
    if (this.#controller === null || this.#controller.aborted) return;
    this.#controller.abort(new Error("the exchange is over"));
  }

  #relayInterim(controller: Dispatcher.DispatchController, status: number, fields: string[]): void {
    this.#interim += 1;
    if (this.#interim > limits.originInterimResponsesMax) {
      controller.abort(new Error("too many interim responses"));
    } else if (status === 103) this.#answer.writeEarlyHints(lowerPairs(fields));
    else if (status === 102) this.#answer.writeProcessing();
  }

  #hint(fields: string[]): void {
    const { received } = this.recorded.credentialed.permitted.authenticated;
    const host = encodeURIComponent(received.authority.host);
    const path = encodeURIComponent(received.target.path);
    fields.push("x-onecli-hint", `${this.plane.settings.dashboardUrl}/secrets/new?host=${host}&path=${path}`);
  }

  #fail(error: unknown): void {
    if (this.#over || this.#outcome === "revoked" || this.#outcome === "stopped") return;
    const { code, message } = failureOf(error, this.recorded.credentialed.permitted.authenticated.received);
    this.#error = code;
    if (this.#answer.headersSent) {
      // The status is out: only a cut connection tells the client that the body is not whole.
      this.#outcome = "origin_aborted";
      this.#answer.destroy();
      this.#answer.socket?.destroy();
      return;
    }
    this.#outcome = "refused";
    this.#answerFailure(code, message);
  }

  #answerFailure(code: RefusalCode, message: string): void {
    const refused = refusal(code, {
      message,
      detail: { host: this.recorded.credentialed.permitted.authenticated.received.authority.host },
    });
    const { refusals } = this.plane.traffic;
    refusals.set(code, (refusals.get(code) ?? 0) + 1);
    answerRefusal(this.#request, this.#answer, refused);
    this.#status = this.#answer.statusCode;
    this.#error = code;
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

function flushFields(answer: ServerResponse): void {
  if (!answer.writableEnded && !answer.destroyed) answer.flushHeaders();
}

function pairs(fields: readonly string[]): [string, string][] {
  const list: [string, string][] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) list.push([fields[i] as string, fields[i + 1] as string]);
  return list;
}

function lowerPairs(fields: readonly string[]): Record<string, string> {
  return Object.fromEntries(pairs(fields).map(([name, value]) => [name.toLowerCase(), value]));
}
