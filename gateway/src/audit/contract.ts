// What the rest of the gateway may ask of the audit.
import type { Rule } from "../model.ts";

/** The opening of an exchange: on disk before the first byte goes to the origin. */
export interface Opening {
  /** unique, the same in the closing row */
  readonly exchangeId: string;
  readonly agentId: string;
  readonly agent: string;
  readonly tokenId: string;
  readonly method: string;
  /** `host:port` */
  readonly authority: string;
  /** canonical path without the query, before anything was injected */
  readonly path: string;
  readonly scheme: "https" | "http" | "wss" | "ws";
  readonly rule: string | null;
  /** names, never values */
  readonly secrets: readonly string[];
  /** rules whose counter goes up by one with this row */
  readonly limits: readonly Rule[];
}

export interface Closing {
  readonly exchangeId: string;
  /** status that the client got; null = none was sent */
  readonly status: number | null;
  readonly outcome: "complete" | "client_aborted" | "origin_aborted" | "refused" | "revoked" | "stopped";
  /** code of the refusal or failure */
  readonly error: string | null;
  readonly requestBytes: number;
  readonly responseBytes: number;
  /** `ms` until the origin's header section, and until the end */
  readonly headersMs: number | null;
  readonly totalMs: number;
}

/** A call that was not forwarded: one row. */
export interface RefusalEvent {
  readonly agentId: string | null;
  readonly agent: string | null;
  readonly method: string;
  readonly authority: string;
  readonly path: string;
  readonly code: string;
  readonly status: number;
  readonly rule: string | null;
}

/** Something an administrator or the gateway itself did. */
export interface ControlEvent {
  /** e.g. `secret.created`, `agent.token_regenerated`, `gateway.started` */
  readonly action: string;
  /** id of the admin key, `gateway` for itself */
  readonly actor: string;
  readonly target: string | null;
  readonly detail: Readonly<Record<string, string | number | boolean | null | readonly string[]>>;
}

export type OpenResult =
  | { readonly ok: true }
  /** the window is full: nothing was recorded, nothing may be forwarded */
  | {
      readonly ok: false;
      readonly code: "rate_limited";
      readonly rule: Rule;
      readonly retryAfterSeconds: number;
    }
  | { readonly ok: false; readonly code: "audit_unavailable" };

export interface Audit {
  /**
   * Queues the row for this event-loop turn's transaction; `done` is called once it is committed (or can't be).
   * A callback instead of a promise: this is the hot path.
   */
  open(opening: Opening, done: (result: OpenResult) => void): void;
  /** Queued; a failure to write is reported by `healthy` and the log, the exchange is over already. */
  close(closing: Closing): void;
  refuse(event: RefusalEvent): void;
  /** Counted per source address and written at most once a second. */
  challenge(source: string): void;
  /** Inside the caller's `store.transaction`: the event and the change are one. */
  control(event: ControlEvent): void;
  /** false while the last commit failed */
  readonly healthy: boolean;
  /** Writes what is queued. */
  flush(): void;
  stop(): void;
}
