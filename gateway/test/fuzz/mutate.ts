// Deterministic mutation of bytes: the same seed always makes the same input, so a finding can be played again.

export interface Random {
  /** an integer from 0 to `below` - 1 */
  next(below: number): number;
}

/** mulberry32: small, and good enough to choose what to break. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  return {
    next(below) {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = Math.imul(state ^ (state >>> 15), state | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return ((t ^ (t >>> 14)) >>> 0) % below;
    },
  };
}

/** What parsers of HTTP trip over. */
const TOKENS = [
  "\r\n",
  "\n",
  "\r",
  "\0",
  " ",
  "\t",
  ":",
  ";",
  ",",
  "%",
  "%2e",
  "%00",
  "..",
  "//",
  "\\",
  "#",
  "?",
  "0",
  "-1",
  "18446744073709551616",
  "0x10",
  "chunked",
  "identity",
  "gzip",
  "close",
  "keep-alive",
  "Upgrade",
  "Host: fuzz.test\r\n",
  "Content-Length: 1\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Connection: host\r\n",
  "Expect: 100-continue\r\n",
  "HTTP/1.1",
  "HTTP/2.0",
  "\x7f",
  "\xff",
  "\x16\x03\x01",
  "fuzz-value-0123456789",
].map((token) => Buffer.from(token, "latin1"));

const STEPS_MAX = 6;

export function mutate(seedInput: Buffer, random: Random): Buffer {
  let bytes = seedInput;
  for (let step = random.next(STEPS_MAX); step >= 0; step -= 1) bytes = mutateOnce(bytes, random);
  return bytes;
}

function mutateOnce(bytes: Buffer, random: Random): Buffer {
  const at = random.next(bytes.length + 1);
  const length = Math.min(random.next(20), bytes.length - at);
  const token = TOKENS[random.next(TOKENS.length)] as Buffer;
  switch (random.next(6)) {
    case 0:
      return Buffer.concat([bytes.subarray(0, at), token, bytes.subarray(at)]);
    case 1:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
    case 2:
      return Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)]);
    case 3:
      return flipped(bytes, at, random.next(256));
    case 4:
      return Buffer.concat([bytes.subarray(0, at), Buffer.alloc(random.next(5_000), token)]);
    default:
      return bytes.subarray(0, at);
  }
}

function flipped(bytes: Buffer, at: number, value: number): Buffer {
  const copy = Buffer.from(bytes);
  if (at < copy.length) copy[at] = value;
  return copy;
}
