// Loaded into every measured process by --import: says what the process has used so far.
import { answerParent } from "./parent.ts";

export interface Usage {
  /** µs of user and system time, all threads */
  readonly cpuUs: number;
  /** bytes */
  readonly rss: number;
}

answerParent({
  usage: (): Usage => {
    const { user, system } = process.cpuUsage();
    return { cpuUs: user + system, rss: process.memoryUsage.rss() };
  },
});
