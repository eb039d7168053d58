// Searches a stream for all variants of several values at once: a nondeterministic automaton over bytes whose
// deterministic states are built when first met (Thompson's construction with a lazy subset construction). One table
// look-up a byte; how much must be held back is known for every state. The nodes are numbers that are worked out when
// needed, so that an automaton weighs little more than the states it really met.
import type { Encoding, Spelling, Symbol, Variant } from "./variants.ts";

export interface Searched {
  /** what the caller knows the value by */
  readonly value: number;
  readonly variant: Variant;
}

export interface Accepted {
  readonly value: number;
  readonly encoding: Encoding;
}

/** What has begun and may become a match. Streams hold on to theirs, so states stay good for as long as they are held. */
export interface State {
  /** the state after each byte; null = not met yet */
  readonly row: (State | null)[];
  readonly nodes: readonly number[];
  /** the value that is complete here */
  readonly accepts: Accepted | null;
  /** most bytes at the end of the stream that may belong to a match */
  readonly held: number;
}

export interface Automaton {
  /** nothing has begun */
  readonly start: State;
  readonly step: (state: State, byte: number) => State;
  /** index of the first byte from `start` on that begins something, or the length */
  skip(bytes: Buffer, start: number): number;
  /** true = a value stands in this text (one character a byte); nothing is allocated */
  occursIn(latin1: string): boolean;
  /** the same for bytes */
  occursInBytes(bytes: Buffer): boolean;
  /** length of the longest match of `accepted` that ends where `bytes` end */
  matchLength(bytes: Buffer, accepted: Accepted): number;
}

/**
 * A node is a place in a variant: position × NODES_PER_POSITION + place inside a spelling that has begun. Positions
 * count through all variants, one more than a variant has symbols: the last one accepts.
 */
const NODES_PER_POSITION = 256;

interface Row {
  readonly searched: Searched;
  /** position of the first symbol */
  readonly first: number;
}

interface Nodes {
  /** nodes of all variants before their first byte */
  readonly starts: readonly number[];
  successors(node: number, byte: number): readonly number[];
  /** successors of all starts; asked for with every new state, so they are kept */
  begun(byte: number): readonly number[];
  accepts(node: number): Accepted | null;
  /** most bytes that a match needs to come here */
  depth(node: number): number;
}

/** About 2 KiB each; past this the known states are forgotten and built again as they are met. */
const STATES_MAX = 1_000;

export function buildAutomaton(searched: readonly Searched[]): Automaton {
  const nodes = createNodes(searched);
  const { start, step } = createStates(nodes);
  return {
    start,
    step,
    skip(bytes, from) {
      const { row } = start;
      let index = from;
      while (index < bytes.length && row[bytes[index] as number] === start) index += 1;
      return index;
    },
    occursIn(latin1) {
      let state = start;
      for (let index = 0; index < latin1.length; index += 1) {
        state = step(state, latin1.charCodeAt(index) & 0xff);
        if (state.accepts !== null) return true;
      }
      return false;
    },
    occursInBytes(bytes) {
      let state = start;
      for (let index = 0; index < bytes.length; index += 1) {
        state = step(state, bytes[index] as number);
        if (state.accepts !== null) return true;
      }
      return false;
    },
    matchLength: (bytes, accepted) => longestMatch(nodes, bytes, accepted),
  };
}

function createNodes(searched: readonly Searched[]): Nodes {
  const rows = layOut(searched);
  const depths = depthsOf(rows);
  const rowOf = (position: number): Row => lastUpTo(rows, position);
  const symbolAt = (position: number): Symbol | null => {
    const { searched: found, first } = rowOf(position);
    return position - first === found.variant.length ? null : found.variant.symbol(position - first);
  };
  const starts = rows.map(({ first }) => first * NODES_PER_POSITION);
  const begun: (readonly number[])[] = [];
  const successors = (node: number, byte: number): readonly number[] => {
    const symbol = symbolAt(Math.floor(node / NODES_PER_POSITION));
    return symbol === null ? [] : onward(symbol, node, byte);
  };
  return {
    starts,
    successors,
    begun: (byte) => (begun[byte] ??= starts.flatMap((start) => successors(start, byte))),
    accepts(node) {
      const position = node / NODES_PER_POSITION;
      if (!Number.isInteger(position)) return null;
      const { searched: found, first } = rowOf(position);
      const isLast = position - first === found.variant.length;
      return isLast ? { value: found.value, encoding: found.variant.encoding } : null;
    },
    depth: (node) => (depths[Math.floor(node / NODES_PER_POSITION)] as number) + (node % NODES_PER_POSITION),
  };
}

/** By halves: with many secrets there are hundreds of rows. */
function lastUpTo(rows: readonly Row[], position: number): Row {
  let low = 0;
  let high = rows.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((rows[middle] as Row).first <= position) low = middle;
    else high = middle - 1;
  }
  return rows[low] as Row;
}

function layOut(searched: readonly Searched[]): Row[] {
  let first = 0;
  return searched.map((one) => {
    const row = { searched: one, first };
    first += one.variant.length + 1;
    return row;
  });
}

function depthsOf(rows: readonly Row[]): Uint32Array {
  const last = rows.at(-1);
  const depths = new Uint32Array(last === undefined ? 0 : last.first + last.searched.variant.length + 1);
  for (const { searched, first } of rows) {
    for (let index = 0; index < searched.variant.length; index += 1) {
      const longest = Math.max(...searched.variant.symbol(index).map((spelling) => spelling.length));
      depths[first + index + 1] = (depths[first + index] as number) + longest;
    }
  }
  return depths;
}

/** Places inside spellings are numbered through all spellings of the symbol; 0 is before each of them. */
function onward(symbol: Symbol, node: number, byte: number): number[] {
  const place = node % NODES_PER_POSITION;
  const base = node - place;
  const next: number[] = [];
  let begin = 0;
  for (const spelling of symbol) {
    const offset = place === 0 ? 0 : place - begin;
    if (
      offset >= 0 &&
      offset < spelling.length &&
      (place === 0 || offset > 0) &&
      takes(spelling, offset, byte)
    ) {
      const isWhole = offset === spelling.length - 1;
      next.push(isWhole ? base + NODES_PER_POSITION : base + begin + offset + 1);
    }
    begin += spelling.length - 1;
  }
  return next;
}

function takes(spelling: Spelling, offset: number, byte: number): boolean {
  return (spelling[offset] as readonly number[]).includes(byte);
}

function createStates(nodes: Nodes): { start: State; step: (state: State, byte: number) => State } {
  const start = stateOf(nodes, []);
  const known = new Map<string, State>();
  const find = (members: readonly number[]): State => {
    const key = members.join(",");
    const found = known.get(key);
    if (found !== undefined) return found;
    const made = stateOf(nodes, members);
    known.set(key, made);
    return made;
  };
  const forget = (): void => {
    known.clear();
    known.set("", start);
    // The start is asked for the most: its row is whole.
    for (let byte = 0; byte < 256; byte += 1) start.row[byte] = find(successors(nodes, [], byte));
  };
  const build = (state: State, byte: number): State => {
    if (known.size >= STATES_MAX) forget();
    const next = find(successors(nodes, state.nodes, byte));
    state.row[byte] = next;
    return next;
  };
  forget();
  return { start, step: (state, byte) => state.row[byte] ?? build(state, byte) };
}

/** Copied, which is many times as fast as making it anew. */
const unmet: readonly null[] = Array.from({ length: 256 }, () => null);

function stateOf(nodes: Nodes, members: readonly number[]): State {
  let accepts: Accepted | null = null;
  let held = 0;
  for (const member of members) {
    accepts ??= nodes.accepts(member);
    held = Math.max(held, nodes.depth(member));
  }
  return { nodes: members, row: unmet.slice(), accepts, held };
}

/** A match may begin at every byte: the starts are always among the predecessors. */
function successors(nodes: Nodes, members: readonly number[], byte: number): number[] {
  const next = new Set(nodes.begun(byte));
  for (const member of members) {
    for (const to of nodes.successors(member, byte)) next.add(to);
  }
  return [...next].sort((a, b) => a - b);
}

/** A match is rare; finding where it began may cost a second look at the bytes that were held back. */
function longestMatch(nodes: Nodes, bytes: Buffer, accepted: Accepted): number {
  for (let start = 0; start < bytes.length; start += 1) {
    if (isMatch(nodes, bytes.subarray(start), accepted)) return bytes.length - start;
  }
  return 0;
}

function isMatch(nodes: Nodes, bytes: Buffer, { value, encoding }: Accepted): boolean {
  let members: readonly number[] = nodes.starts;
  for (const byte of bytes) {
    members = [...new Set(members.flatMap((member) => nodes.successors(member, byte)))];
    if (members.length === 0) return false;
  }
  return members.some((member) => {
    const accepts = nodes.accepts(member);
    return accepts?.value === value && accepts.encoding === encoding;
  });
}
