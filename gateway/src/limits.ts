// Every bound of the gateway in one place. docs/limits.md says what happens at each.

export const KIBI = 1024;
export const MEBI = 1024 * KIBI;

export const limits = {
  // what a client may send
  clientHeaderBytesMax: 64 * KIBI,
  clientFieldsMax: 200,
  clientHeadersTimeoutMs: 30_000,
  /** time for the CONNECT line and fields, or the first request, on a new connection */
  clientFirstByteTimeoutMs: 30_000,
  clientHandshakeTimeoutMs: 10_000,
  clientIdleTimeoutMs: 120_000,
  /** a started request whose body does not go on */
  clientBodyIdleTimeoutMs: 120_000,
  requestTargetBytesMax: 16 * KIBI,
  /** a body that must be held whole to place a credential in it */
  bodyHeldBytesMax: MEBI,
  requestsPerConnectionMax: 100_000,

  // how much at once
  tunnelsMax: 10_000,
  tunnelsPerAgentMax: 6_000,
  exchangesMax: 5_000,
  exchangesPerAgentMax: 1_000,

  // towards origins
  originConnectTimeoutMs: 10_000,
  originHeadersTimeoutMs: 300_000,
  originBodyIdleTimeoutMs: 300_000,
  originHeaderBytesMax: 64 * KIBI,
  originKeepAliveMs: 30_000,
  originInterimResponsesMax: 8,
  originConnectionsPerPoolMax: 256,
  originPoolsMax: 2_000,
  originPoolIdleMs: 60_000,
  resolvedAddressesMax: 32,
  upgradeIdleTimeoutMs: 600_000,

  // certificates towards clients
  leafLifetimeMs: 7 * 86_400_000,
  leafRenewBeforeMs: 86_400_000,
  leafCacheEntriesMax: 1_000,

  // policy
  pathReadingsMax: 32,
  pathBytesMax: 16 * KIBI,
  hostNameBytesMax: 253,

  // audit
  auditQueueRowsMax: 20_000,
  auditSegmentRowsMax: 100_000,
  auditRefusalSourcesMax: 1_000,

  // control plane
  apiBodyBytesMax: MEBI,
  apiPendingHoldMs: 30_000,
  apiPendingHoldsMax: 200,
  apiAuthFailuresSourcesMax: 1_000,
  apiAuthFailureDelayMs: 250,
  apiAuthFailureDelayMsMax: 5_000,

  // stopping
  drainTimeoutMs: 20_000,
} as const;
