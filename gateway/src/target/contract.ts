// What a request is aimed at, in the one form that is both decided on and sent.

export interface Authority {
  /** ASCII, lower case, no trailing dot; IPv6 without brackets */
  readonly host: string;
  readonly port: number;
  readonly kind: "name" | "ipv4" | "ipv6";
}

export interface Target {
  /** canonical path: needless escapes decoded, dot segments resolved; what goes out */
  readonly path: string;
  /** with its `?`, byte for byte; empty when there is none */
  readonly query: string;
  /** every way an origin could read the path, the canonical one first; their escapes are in upper case */
  readonly readings: readonly string[];
}
