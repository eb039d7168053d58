// 407s, counted per source: anyone can cause them, so they cost one row a second at most.
import { limits } from "../limits.ts";

export interface Challenges {
  add(source: string): void;
  /** Hands over what was counted; at the latest a second after the first. */
  flush(): void;
}

const INTERVAL_MS = 1000;
const OTHERS = "others";

export function createChallenges(write: (sources: ReadonlyMap<string, number>) => void): Challenges {
  let sources = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    if (sources.size === 0) return;
    const counted = sources;
    sources = new Map();
    write(counted);
  };
  return {
    add: (source) => {
      const isNew = !sources.has(source) && sources.size >= limits.auditRefusalSourcesMax;
      const key = isNew ? OTHERS : source;
      sources.set(key, (sources.get(key) ?? 0) + 1);
      timer ??= setTimeout(flush, INTERVAL_MS).unref();
    },
    flush,
  };
}
