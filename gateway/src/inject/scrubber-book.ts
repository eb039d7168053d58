// Scrubbers for what was placed in a request, kept while the values are the same.
import { limits } from "../limits.ts";
import type { Credential } from "../model.ts";
import { createScrubber, type Scrubber } from "../scrub/scrubber.ts";
import type { Secret } from "../vault/secret.ts";

export interface ScrubberBook {
  /** null = nothing was placed, or nothing that could be searched for */
  scrubberFor(agentId: string, placed: readonly Credential[]): Scrubber | null;
}

export interface ScrubberBookParts {
  readonly plaintext: (credentialId: string) => Secret | undefined;
  readonly placeholder: (agentId: string, credential: Credential) => string;
}

interface Entry {
  readonly secrets: readonly (Secret | undefined)[];
  readonly scrubber: Scrubber | null;
}

export function createScrubberBook({ plaintext, placeholder }: ScrubberBookParts): ScrubberBook {
  const entries = new Map<string, Entry>();
  return {
    scrubberFor(agentId, placed) {
      if (placed.length === 0) return null;
      const key = placed.reduce((text, { id }) => `${text}/${id}`, agentId);
      const known = entries.get(key);
      if (known !== undefined && placed.every(({ id }, index) => plaintext(id) === known.secrets[index])) {
        return known.scrubber;
      }
      const secrets = placed.map(({ id }) => plaintext(id));
      const values = placed.flatMap((credential, index) => {
        const secret = secrets[index];
        if (secret === undefined) return [];
        return [{ value: Buffer.from(secret.revealBytes()), placeholder: placeholder(agentId, credential) }];
      });
      const scrubber = createScrubber(values);
      if (entries.size >= limits.scrubbersMax) entries.clear();
      entries.set(key, { secrets, scrubber });
      return scrubber;
    },
  };
}
