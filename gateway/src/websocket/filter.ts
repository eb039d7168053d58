// What the relay does with the bytes of one direction.
import { createFrameReader, type FrameVisitor } from "./frames.ts";

export interface FrameFilter {
  /** What may be sent now. @throws FrameError */
  push(chunk: Buffer): Buffer;
  /** What was held back when the peer ended. */
  end(): Buffer;
  /** true = a frame of ours may be sent in between */
  readonly atBoundary: boolean;
}

const ignore: FrameVisitor = { begin: () => undefined, payload: () => undefined, end: () => undefined };
const nothing = Buffer.alloc(0);

/** Byte for byte; only where frames begin and end is watched. */
export function passFrames(): FrameFilter {
  const reader = createFrameReader(ignore);
  return {
    push(chunk) {
      reader.push(chunk);
      return chunk;
    },
    end: () => nothing,
    get atBoundary() {
      return reader.atBoundary;
    },
  };
}
