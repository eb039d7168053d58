// The request as it will leave, while credentials are placed in it.
import type { Credential } from "../model.ts";

export interface Outgoing {
  readonly method: string;
  /** canonical path, injections applied */
  path: string;
  /** with its `?`; empty when there is none */
  query: string;
  /** name, value, name, value …, hop-by-hop fields already removed */
  fields: string[];
  /** held whole when a credential is placed in it, else null (streams) */
  body: Buffer | null;
}

export type InjectionOutcome =
  /** the credentials that were really placed */
  | { readonly ok: true; readonly placed: readonly Credential[] }
  | {
      readonly ok: false;
      readonly code: "placeholder_not_injected" | "bad_request";
      readonly message: string;
      readonly secret: string | null;
    };
