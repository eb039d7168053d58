// What the rest of the gateway may ask of the way out.
import type { Socket } from "node:net";
import type { Authority } from "../target/contract.ts";

export type DialFailure =
  | "destination_not_allowed"
  | "origin_unreachable"
  | "origin_tls_error"
  | "origin_timeout";

/** Why no connection was made. The message is for the agent: it names the host, never an internal address. */
export class DialError extends Error {
  readonly code: DialFailure;

  constructor(code: DialFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "DialError";
    this.code = code;
  }
}

export interface DialRequest {
  readonly authority: Authority;
  /** true = TLS, verified against the authority's host */
  readonly secure: boolean;
  readonly signal?: AbortSignal;
}

/** Resolve once, check every address, connect to a checked one, verify what was connected to. */
export interface Dialer {
  dial(request: DialRequest): Promise<Socket>;
}
