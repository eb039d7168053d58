// What the data plane is made of; built once in compose.ts and passed along. Stages read `policy.current`, one
// immutable snapshot, so a change is seen whole by the next request and by nothing half-way.
import type http from "node:http";
import type { Duplex } from "node:stream";
import type { Audit } from "../audit/contract.ts";
import type { PolicyHolder } from "../configuration.ts";
import type { CertificateAuthority } from "../authority/contract.ts";
import type { Injector } from "../inject/inject.ts";
import type { ScrubberBook } from "../inject/scrubber-book.ts";
import type { TokenIssuer } from "../issued/contract.ts";
import type { Log } from "../log.ts";
import type { Clock } from "../model.ts";
import type { OriginPools } from "../origin/pools.ts";
import type { Identity, Route } from "../policy/contract.ts";
import type { Authority } from "../target/contract.ts";
import type { Backoff } from "./backoff.ts";
import type { LiveConnections } from "./live.ts";
import type { Traffic } from "./traffic.ts";

export interface DataPlane {
  readonly clock: Clock;
  readonly log: Log;
  readonly policy: PolicyHolder;
  readonly audit: Audit;
  readonly authority: CertificateAuthority;
  readonly injector: Injector;
  readonly scrubbers: ScrubberBook;
  readonly tokens: TokenIssuer;
  readonly pools: OriginPools;
  readonly backoff: Backoff;
  readonly live: LiveConnections;
  readonly traffic: Traffic;
  readonly settings: DataPlaneSettings;
  /** HTTP/1.1 inside tunnels; never listens, is handed sockets */
  readonly inner: http.Server;
  /** true = new exchanges get 503 while running ones end */
  stopping: boolean;
}

export interface DataPlaneSettings {
  /** ports of CONNECT that are allowed without being named by a rule or secret */
  readonly allowedPorts: ReadonlySet<number>;
  /** base of the links in refusals, e.g. `http://localhost:10254` */
  readonly dashboardUrl: string;
  /** pseudonym in `Via`, by which a loop is seen (RFC 9110 section 7.6.3) */
  readonly viaPseudonym: string;
}

/** One CONNECT: authenticated once, then carries exchanges for one authority. */
export interface Tunnel {
  readonly authority: Authority;
  readonly tokenHash: string;
  readonly source: string;
  identity: Identity;
  /** the TLS or plain socket that carries requests; before the handshake the client's own */
  socket: Duplex;
  /** what the client spoke first; null = nothing yet */
  protocol: "tls" | "plain" | null;
  /** the TLS server name is another host than the CONNECT target's */
  misdirected: boolean;
  /** policy for this agent and authority, kept while the snapshot is the same */
  route: Route | null;
  routeRevision: number;
}
