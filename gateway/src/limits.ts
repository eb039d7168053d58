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
  requestTargetBytesMax: 16 * KIBI,
  /** a body that must be held whole to place a credential in it */
  bodyHeldBytesMax: MEBI,
  /** requests that wait on one connection for the answer to an earlier one */
  requestsPipelinedMax: 16,
  proxyCredentialsBytesMax: KIBI,
  /** wrong tokens of one source that are answered at once; from then on each answer waits twice as long */
  proxyAuthFailuresFree: 5,
  proxyAuthFailureDelayMs: 100,
  proxyAuthFailureDelayMsMax: 3_000,
  proxyAuthFailureForgottenMs: 60_000,
  proxyAuthFailuresSourcesMax: 1_000,
  /** answers held back at once; further ones are given at once */
  proxyAuthDelaysMax: 200,

  // how much at once
  tunnelsMax: 10_000,
  tunnelsPerAgentMax: 6_000,
  exchangesMax: 5_000,
  exchangesPerAgentMax: 1_000,
  /** bodies that wait for their last byte before a credential is placed in them */
  bodiesHeldMax: 256,

  // towards origins
  /** name, connection and TLS handshake together */
  originConnectTimeoutMs: 10_000,
  /** head start of one address before the next is tried (RFC 8305 section 5) */
  originConnectAttemptDelayMs: 250,
  /** names asked for at once, and names waiting for their turn */
  originLookupsMax: 32,
  originLookupQueueMax: 1_000,
  /** TLS sessions kept for resumption; a resumed session does not show its certificate again, hence the age */
  originSessionsMax: 500,
  originSessionAgeMs: 3_600_000,
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

  // vault
  keyFileBytesMax: 4 * KIBI,
  rotationBatchRows: 100,
  /** NIST SP 800-63B section 5.1.1: memorized secrets have at least 8 characters */
  passphraseCharactersMin: 8,
  passphraseMemoryKibMax: MEBI,
  passphrasePassesMax: 16,
  passphraseLanesMax: 16,

  // policy
  pathReadingsMax: 32,
  /** all readings of one path together: what deciding on it may cost */
  pathReadingBytesMax: 64 * KIBI,
  pathBytesMax: 16 * KIBI,
  hostNameBytesMax: 253,

  // audit
  /** how long a closing row may wait for an opening's transaction to go with */
  auditCloseDelayMs: 20,
  auditQueueRowsMax: 20_000,
  auditSegmentRowsMax: 100_000,
  auditRefusalSourcesMax: 1_000,
  /** a segment also closes at this age, so that retention works where little happens */
  auditSegmentAgeMsMax: 86_400_000,
  /** characters of one text in a record; longer ones are cut */
  auditTextCharactersMax: 16 * KIBI,
  /** rows that one listing looks at; the caller goes on from there */
  auditScanRowsMax: 10_000,
  /** rate counters held in memory before those of past windows are dropped */
  auditCountersMax: 10_000,
  /** how often the newest sequence number and hash are signed */
  auditHeadIntervalMs: 1_000,
  auditRetryMs: 250,
  auditVerifyPageRows: 1_000,
  auditRetireBatchRows: 500,

  // store
  storeCheckpointIntervalMs: 4_000,
  /** a larger database is checked without its audit rows after a kill */
  storeQuickCheckBytesMax: 64 * MEBI,

  // scrubbing of answers
  /** bodies up to this length are searched whole, so that their new length can be told */
  scrubHeldBytesMax: 64 * KIBI,
  scrubbersMax: 1_000,
  /** tokens that one answer may carry */
  issuedTokensPerAnswerMax: 8,
  /** of one secret and agent, refresh tokens and others counted apart; the oldest goes */
  issuedTokensPerSecretMax: 16,
  issuedTokensMax: 10_000,
  /** a longer life is taken for no end */
  issuedTokenLifetimeMsMax: 10 * 365 * 86_400_000,
  /** an expired token still goes out: the origin's own 401 is what makes clients renew it */
  issuedTokenKeptMs: 86_400_000,
  /** a text message in which a fake key is exchanged is read whole */
  websocketMessageBytesMax: MEBI,
  /** pieces of frames that wait while the beginning of a secret value is held back */
  websocketPartsHeldMax: 16 * KIBI,

  // control plane
  apiBodyBytesMax: MEBI,
  apiPendingHoldMs: 30_000,
  apiPendingHoldsMax: 200,
  apiAuthFailuresSourcesMax: 1_000,
  apiAuthFailureDelayMs: 250,
  /** published clients give up after 5 s and would not learn that the key is wrong */
  apiAuthFailureDelayMsMax: 4_000,
  /** after this long without a failure a source starts anew */
  apiAuthFailureForgottenMs: 60_000,
  /** answers held back at once; further failures are answered 429 */
  apiAuthDelaysMax: 200,
  agentsMax: 10_000,
  runTokensPerAgentMax: 1_000,
  secretsMax: 10_000,
  rulesMax: 20_000,
  apiKeysMax: 1_000,

  // stopping
  drainTimeoutMs: 20_000,
} as const;
