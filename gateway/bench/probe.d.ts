/** What a measured process answers to `usage`. */
export interface Usage {
  /** µs of user and system time, all threads */
  readonly cpuUs: number;
  /** bytes */
  readonly rss: number;
}
