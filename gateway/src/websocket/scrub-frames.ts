// Frames from an origin that was sent a credential: the value is taken out of messages, whichever way they are cut into
// frames. Replacements have the length of what they replace, so frames stay as they are.
import { limits } from "../limits.ts";
import type { Scrubber, ScrubStream } from "../scrub/scrubber.ts";
import type { FrameFilter } from "./filter.ts";
import { createFrameReader, type Frame, FrameError, isControl } from "./frames.ts";

/** Bytes as they are, or so many bytes of payload that the scrubber has not given back yet. */
type Part = Buffer | { missing: number };

export function scrubFrames(scrubber: Scrubber): FrameFilter {
  const parts: Part[] = [];
  let message: ScrubStream | null = null;
  let control: Buffer[] = [];
  let inMessage = false;
  const reader = createFrameReader({
    begin(frame) {
      refuseUnreadable(frame);
      parts.push(frame.header);
      if (!isControl(frame)) {
        message ??= scrubber.stream({ sameLength: true });
        inMessage = true;
        if (frame.length > 0) parts.push({ missing: frame.length });
      }
    },
    payload(frame, piece) {
      if (isControl(frame)) control.push(piece);
      else fill(parts, (message as ScrubStream).push(piece));
    },
    end(frame) {
      if (isControl(frame)) {
        parts.push(scrubWhole(scrubber, Buffer.concat(control)));
        control = [];
      } else if (frame.fin) {
        fill(parts, (message as ScrubStream).end());
        message = null;
        inMessage = false;
      }
    },
  });
  return {
    push(chunk) {
      reader.push(chunk);
      return bounded(ready(parts), parts);
    },
    end() {
      if (message !== null) fill(parts, message.end());
      return ready(parts);
    },
    get atBoundary() {
      return reader.atBoundary && !inMessage && parts.length === 0;
    },
  };
}

/** A compressed or masked message could not be searched (extensions are not offered where this filter is). */
function refuseUnreadable(frame: Frame): void {
  if (frame.reserved) throw new FrameError("an extension that was not agreed on");
  if (frame.mask !== null) throw new FrameError("a masked frame from an origin");
}

function scrubWhole(scrubber: Scrubber, payload: Buffer): Buffer {
  const stream = scrubber.stream({ sameLength: true });
  return Buffer.concat([stream.push(payload), stream.end()]);
}

/** Payload comes back in order: the first gap is the one that it belongs to. */
function fill(parts: Part[], payload: Buffer): void {
  let rest = payload;
  for (let index = 0; index < parts.length && rest.length > 0; index += 1) {
    const part = parts[index] as Part;
    if (Buffer.isBuffer(part)) continue;
    const piece = rest.subarray(0, part.missing);
    rest = rest.subarray(piece.length);
    part.missing -= piece.length;
    const whole: Part[] = part.missing === 0 ? [piece] : [piece, part];
    parts.splice(index, 1, ...whole);
  }
}

/** Frames without payload fill no gap: of them an origin could send any number while the beginning of a value is held. */
function bounded(sendable: Buffer, parts: readonly Part[]): Buffer {
  if (parts.length > limits.websocketPartsHeldMax)
    throw new FrameError("too many frames in the middle of a value");
  return sendable;
}

/** Everything before the first gap. */
function ready(parts: Part[]): Buffer {
  const gap = parts.findIndex((part) => !Buffer.isBuffer(part));
  const sendable = parts.splice(0, gap === -1 ? parts.length : gap) as Buffer[];
  return sendable.length === 1 ? (sendable[0] as Buffer) : Buffer.concat(sendable);
}
