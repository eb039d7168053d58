// Searches a stream for all variants of several values at once: a nondeterministic automaton over bytes whose
// deterministic states are built when first met (Thompson's construction with a lazy subset construction). One table
// look-up a byte; how much must be held back is known for every state.
import type { Encoding, Variant } from "./variants.ts";

export interface Searched {
  /** what the caller knows the value by */
  readonly value: number;
  readonly variant: Variant;
}

export interface Accepted {
  readonly value: number;
  readonly encoding: Encoding;
}

interface Node {
  /** byte → nodes */
  readonly edges: Map<number, number[]>;
  /** most bytes that a match needs to come here */
  readonly depth: number;
  readonly accepts: Accepted | null;
}

export interface Automaton {
  /** state after one more byte; 0 is the state in which nothing has begun */
  step(state: number, byte: number): number;
  /** `step` of state 0 over a run of bytes: index of the first byte that begins something, or `end` */
  skip(bytes: Buffer, start: number, end: number): number;
  /** the value that is complete in this state */
  accepted(state: number): Accepted | null;
  /** bytes at the end of the stream that may belong to a match */
  held(state: number): number;
  /** length of the longest match of `accepted` that ends at `end` */
  matchLength(bytes: Buffer, end: number, accepted: Accepted): number;
}

const UNKNOWN = -1;
/** A table of 1 KiB each; past this the known states are forgotten and built again as they are met. */
const STATES_MAX = 2_000;

export function buildAutomaton(searched: readonly Searched[]): Automaton {
  const nodes = buildNodes(searched);
  const states = createStates(nodes);
  return {
    step: states.step,
    skip(bytes, start, end) {
      const row = states.startRow();
      let index = start;
      while (index < end && row[bytes[index] as number] === 0) index += 1;
      return index;
    },
    accepted: states.accepted,
    held: states.held,
    matchLength: (bytes, end, accepted) => longestMatch(nodes, bytes, end, accepted),
  };
}

function buildNodes(searched: readonly Searched[]): Node[] {
  const nodes: Node[] = [{ edges: new Map(), depth: 0, accepts: null }];
  for (const { value, variant } of searched) addVariant(nodes, value, variant);
  return nodes;
}

function addVariant(nodes: Node[], value: number, { encoding, symbols }: Variant): void {
  let from = 0;
  symbols.forEach((spellings, index) => {
    const longest = Math.max(...spellings.map((spelling) => spelling.length));
    const depth = (nodes[from] as Node).depth + longest;
    const accepts = index === symbols.length - 1 ? { value, encoding } : null;
    const to = nodes.push({ edges: new Map(), depth, accepts }) - 1;
    for (const spelling of spellings) addSpelling(nodes, { from, to, spelling });
    from = to;
  });
}

function addSpelling(
  nodes: Node[],
  { from, to, spelling }: { from: number; to: number; spelling: readonly (readonly number[])[] },
): void {
  let at = from;
  spelling.forEach((bytes, index) => {
    const isLast = index === spelling.length - 1;
    const next = isLast
      ? to
      : nodes.push({ edges: new Map(), depth: (nodes[at] as Node).depth + 1, accepts: null }) - 1;
    for (const byte of bytes) connect(nodes[at] as Node, byte, next);
    at = next;
  });
}

function connect({ edges }: Node, byte: number, to: number): void {
  const known = edges.get(byte);
  if (known === undefined) edges.set(byte, [to]);
  else known.push(to);
}

interface State {
  readonly nodes: readonly number[];
  readonly row: Int32Array;
  readonly accepts: Accepted | null;
  readonly held: number;
}

function createStates(nodes: readonly Node[]) {
  let states: State[] = [];
  let known = new Map<string, number>();
  const add = (members: readonly number[]): number => {
    const key = members.join(",");
    const found = known.get(key);
    if (found !== undefined) return found;
    const index = states.push(stateOf(nodes, members)) - 1;
    known.set(key, index);
    return index;
  };
  const reset = (): void => {
    states = [];
    known = new Map();
    add([]);
  };
  const step = (state: number, byte: number): number => {
    const current = states[state] as State;
    const next = current.row[byte] as number;
    if (next !== UNKNOWN) return next;
    if (states.length >= STATES_MAX) reset();
    const index = add(successors(nodes, current.nodes, byte));
    current.row[byte] = index;
    return index;
  };
  reset();
  // State 0 is asked for the most: its row is whole from the start.
  for (let byte = 0; byte < 256; byte += 1) step(0, byte);
  return {
    step,
    startRow: () => (states[0] as State).row,
    accepted: (state: number) => (states[state] as State).accepts,
    held: (state: number) => (states[state] as State).held,
  };
}

function stateOf(nodes: readonly Node[], members: readonly number[]): State {
  const found = members.map((member) => nodes[member] as Node);
  return {
    nodes: members,
    row: new Int32Array(256).fill(UNKNOWN),
    accepts: found.find(({ accepts }) => accepts !== null)?.accepts ?? null,
    held: Math.max(0, ...found.map(({ depth }) => depth)),
  };
}

/** A match may begin at every byte: node 0 is always among the predecessors. */
function successors(nodes: readonly Node[], members: readonly number[], byte: number): number[] {
  const next = new Set((nodes[0] as Node).edges.get(byte));
  for (const member of members) for (const to of (nodes[member] as Node).edges.get(byte) ?? []) next.add(to);
  return [...next].sort((a, b) => a - b);
}

/** A match is rare; finding where it began may cost a second look at the bytes that were held back. */
function longestMatch(nodes: readonly Node[], bytes: Buffer, end: number, accepted: Accepted): number {
  const deepest = Math.max(...nodes.map(({ depth }) => depth));
  for (let start = Math.max(0, end - deepest); start < end; start += 1) {
    if (endsAt(nodes, bytes.subarray(start, end), accepted)) return end - start;
  }
  return 0;
}

function endsAt(nodes: readonly Node[], bytes: Buffer, { value, encoding }: Accepted): boolean {
  let members: readonly number[] = [0];
  for (const byte of bytes) {
    members = [...new Set(members.flatMap((member) => (nodes[member] as Node).edges.get(byte) ?? []))];
    if (members.length === 0) return false;
  }
  return members.some((member) => {
    const accepts = (nodes[member] as Node).accepts;
    return accepts?.value === value && accepts.encoding === encoding;
  });
}
