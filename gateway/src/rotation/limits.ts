// The bounds of a rotation.
import { KIBI } from "../limits.ts";

export const rotationLimits = {
  /** for the command, the webhook and the test call, each */
  stepTimeoutMs: 30_000,
  /** more than 10,000 characters in UTF-8, or in JSON with every one escaped */
  newValueBytesMax: 64 * KIBI,
  /** rotations at once; each may be a process */
  runningMax: 8,
  /** how often it is looked for secrets whose time has come */
  checkIntervalMs: 60_000,
  /** pause after a scheduled rotation failed; doubled each time */
  backoffMs: 60_000,
  backoffMsMax: 6 * 3_600_000,
} as const;
