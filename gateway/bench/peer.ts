// What the two peers of the gateway are told, and how they find the origin: its name is known to nobody else.
import type { LookupFunction } from "node:net";

export interface PeerStart {
  /** `name:port` */
  readonly authority: string;
  /** PEM of the authority that signed the origin's certificate, and the bare pass's leaf */
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  /** the Authorization field to put in place */
  readonly credential: string;
  readonly directory: string;
}

export interface PeerStarted {
  readonly port: number;
  /** PEM file that its clients trust */
  readonly caFile: string;
}

export const loopbackLookup: LookupFunction = (_name, options, callback) => {
  if (options.all === true) callback(null, [{ address: "127.0.0.1", family: 4 }]);
  else callback(null, "127.0.0.1", 4);
};
