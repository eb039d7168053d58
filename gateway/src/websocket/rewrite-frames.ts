// Frames from a client whose fake key may stand in text messages: such a message is read whole, the key exchanged, and
// sent as one frame. Everything else passes byte for byte.
import { randomBytes } from "node:crypto";
import { limits } from "../limits.ts";
import { Gathered } from "../proxy/gather.ts";
import type { FrameFilter } from "./filter.ts";
import {
  createFrameReader,
  type Frame,
  FrameError,
  isControl,
  OPCODE,
  unmask,
  writeFrame,
} from "./frames.ts";

/** The message with its fake keys exchanged. */
export type RewriteText = (text: string) => string;

export function rewriteFrames(rewrite: RewriteText): FrameFilter {
  const out: Buffer[] = [];
  let text: Gathered | null = null;
  let size = 0;
  const reader = createFrameReader({
    begin(frame) {
      if (isControl(frame)) {
        out.push(frame.header);
        return;
      }
      if (frame.reserved) throw new FrameError("an extension that was not agreed on");
      if (frame.opcode === OPCODE.text) text = new Gathered();
      if (text === null) out.push(frame.header);
      else size = bounded(size + frame.length);
    },
    payload(frame, piece, offset) {
      if (text === null || isControl(frame)) out.push(piece);
      else text.add(unmask(piece, frame.mask, offset));
    },
    end(frame) {
      if (text === null || isControl(frame) || !frame.fin) return;
      const message = Buffer.from(rewrite(text.take().toString("utf8")), "utf8");
      out.push(writeFrame(OPCODE.text, message, maskLike(frame)));
      text = null;
      size = 0;
    },
  });
  return {
    push(chunk) {
      reader.push(chunk);
      return Buffer.concat(out.splice(0));
    },
    end: () => Buffer.alloc(0),
    get atBoundary() {
      return reader.atBoundary && text === null;
    },
  };
}

function bounded(size: number): number {
  if (size > limits.websocketMessageBytesMax) throw new FrameError("message too long to place a key in");
  return size;
}

/** RFC 6455 section 5.3: a fresh key for every frame of a client. */
function maskLike({ mask }: Frame): Buffer | null {
  return mask === null ? null : randomBytes(4);
}
