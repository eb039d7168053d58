// Real values → the agent's placeholder, in whole texts and in streams. A stream holds back no more than what may be
// the beginning of a value.
import { type Accepted, type Automaton, buildAutomaton } from "./automaton.ts";
import { type Encoding, SEARCHED_VALUE_BYTES_MIN, variantsOf } from "./variants.ts";

export interface Scrubbed {
  /** the real value */
  readonly value: Buffer;
  /** what the agent gets in its place */
  readonly placeholder: string;
}

export interface Scrubber {
  /** The text with every value replaced; the same string when there is none. Latin-1, as fields are on the wire. */
  text(latin1: string): string;
  /** A whole body; the same buffer when there is nothing to replace. */
  whole(bytes: Buffer): Buffer;
  /** @param sameLength replacements have the length of what they replace, so that Content-Length stays true */
  stream(options: { readonly sameLength: boolean }): ScrubStream;
}

export interface ScrubStream {
  /** What may be sent now. */
  push(chunk: Buffer): Buffer;
  /** What was held back and turned out to be nothing. */
  end(): Buffer;
  /** values that were replaced so far */
  readonly replaced: number;
}

const nothing: Buffer = Buffer.alloc(0);

/** null = there is nothing that could be searched for. */
export function createScrubber(values: readonly Scrubbed[]): Scrubber | null {
  const searched = values.filter(({ value }) => value.length >= SEARCHED_VALUE_BYTES_MIN);
  if (searched.length === 0) return null;
  const variants = searched.flatMap(({ value }, index) =>
    variantsOf(value).map((variant) => ({ value: index, variant })),
  );
  const automaton = buildAutomaton(variants);
  const shortest = Math.min(...variants.map(({ variant }) => variant.length));
  const parts = { automaton, replacements: searched.map(replacementsOf) };
  const whole = (bytes: Buffer): Buffer => {
    if (!automaton.occursInBytes(bytes)) return bytes;
    const stream = createStream(parts, false);
    const head = stream.push(bytes);
    const tail = stream.end();
    return Buffer.concat([head, tail]);
  };
  return {
    whole,
    text(latin1) {
      if (latin1.length < shortest || !automaton.occursIn(latin1)) return latin1;
      return whole(Buffer.from(latin1, "latin1")).toString("latin1");
    },
    stream: ({ sameLength }) => createStream(parts, sameLength),
  };
}

type Replacements = Readonly<Record<Encoding, Buffer>>;

function replacementsOf({ placeholder }: Scrubbed): Replacements {
  const bytes = Buffer.from(placeholder, "utf8");
  return {
    text: bytes,
    base64: Buffer.from(bytes.toString("base64").replace(/=+$/, ""), "latin1"),
    hex: Buffer.from(bytes.toString("hex"), "latin1"),
  };
}

interface Parts {
  readonly automaton: Automaton;
  readonly replacements: readonly Replacements[];
}

function createStream(parts: Parts, sameLength: boolean): ScrubStream {
  const { automaton } = parts;
  let pending: Buffer = nothing;
  let state = automaton.start;
  /** bytes since something began */
  let begun = 0;
  let replaced = 0;
  const replacementFor = (accepted: Accepted, length: number): Buffer => {
    const replacement = (parts.replacements[accepted.value] as Replacements)[accepted.encoding];
    return sameLength || accepted.encoding === "base64" ? fitted(replacement, length) : replacement;
  };
  return {
    push(chunk) {
      const bytes = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
      const out: Buffer[] = [];
      let sent = 0;
      for (let at = pending.length; at < bytes.length;) {
        if (state === automaton.start) at = automaton.skip(bytes, at);
        if (at === bytes.length) break;
        begun = state === automaton.start ? 1 : begun + 1;
        state = automaton.step(state, bytes[at] as number);
        at += 1;
        const accepted = state.accepts;
        if (accepted === null) continue;
        const from = Math.max(sent, at - Math.min(begun, state.held));
        const length = automaton.matchLength(bytes.subarray(from, at), accepted);
        out.push(bytes.subarray(sent, at - length), replacementFor(accepted, length));
        sent = at;
        state = automaton.start;
        replaced += 1;
      }
      const keep = Math.max(sent, bytes.length - Math.min(begun, state.held));
      out.push(bytes.subarray(sent, keep));
      pending = bytes.subarray(keep);
      return out.length === 1 ? (out[0] as Buffer) : Buffer.concat(out);
    },
    end() {
      const rest = pending;
      pending = nothing;
      state = automaton.start;
      return rest;
    },
    get replaced() {
      return replaced;
    },
  };
}

/**
 * Base64 keeps its length too: the characters around it belong to other bytes, and one more or less would shift them.
 */
function fitted(replacement: Buffer, length: number): Buffer {
  const filled = Buffer.alloc(length, "x");
  replacement.copy(filled, 0, 0, Math.min(replacement.length, length));
  return filled;
}
