import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createScrubber, type Scrubber } from "../scrub/scrubber.ts";
import { type FrameFilter, passFrames } from "./filter.ts";
import { closeFrame, FrameError, OPCODE, writeFrame } from "./frames.ts";
import { rewriteFrames } from "./rewrite-frames.ts";
import { scrubFrames } from "./scrub-frames.ts";

const VALUE = "real-value-0123456789";
const scrubber = createScrubber([{ value: Buffer.from(VALUE), placeholder: "fake" }]) as Scrubber;

function through(filter: FrameFilter, bytes: Buffer, size: number): Buffer {
  const out: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) out.push(filter.push(bytes.subarray(at, at + size)));
  return Buffer.concat([...out, filter.end()]);
}

/** A message cut into frames at the given places. */
function fragments(text: string, cuts: readonly number[]): Buffer {
  const ends = [...cuts.filter((cut) => cut < text.length), text.length];
  let from = 0;
  return Buffer.concat(
    ends.map((end, index) => {
      const frame = writeFrame(
        index === 0 ? OPCODE.text : OPCODE.continuation,
        Buffer.from(text.slice(from, end)),
        null,
      );
      if (index < ends.length - 1) frame[0] = (frame[0] as number) & 0x7f;
      from = end;
      return frame;
    }),
  );
}

describe("frames that nothing rewrites", () => {
  test("pass byte for byte, however they are cut", () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 70_000 }), { maxLength: 3 }),
        fc.integer({ min: 1, max: 9000 }),
        (payloads, size) => {
          const bytes = Buffer.concat(
            payloads.map((payload) => writeFrame(OPCODE.binary, Buffer.from(payload), null)),
          );
          expect(through(passFrames(), bytes, size).equals(bytes)).toBe(true);
        },
      ),
      { numRuns: 30 },
    );
  });

  test("end where a frame of ours may stand", () => {
    const filter = passFrames();
    const frame = writeFrame(OPCODE.text, Buffer.from("hello"), Buffer.from([1, 2, 3, 4]));
    filter.push(frame.subarray(0, 7));
    expect(filter.atBoundary).toBe(false);
    filter.push(frame.subarray(7));
    expect(filter.atBoundary).toBe(true);
  });

  test.each([
    ["a control frame in pieces", Buffer.from([0x09, 0x00])],
    ["a control frame that is too long", Buffer.from([0x89, 126, 1, 0])],
    ["a length beyond all bounds", Buffer.from([0x82, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])],
  ])("are refused: %s", (_, bytes) => {
    expect(() => passFrames().push(bytes)).toThrow(FrameError);
  });
});

describe("frames of an origin that was sent a credential", () => {
  test("carry none of it, whichever way the message and the bytes are cut", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 5 }),
        fc.integer({ min: 1, max: 30 }),
        (cuts, size) => {
          const bytes = fragments(
            `say ${VALUE} again`,
            cuts.toSorted((a, b) => a - b),
          );
          const out = through(scrubFrames(scrubber), bytes, size);
          expect(out.length).toBe(bytes.length);
          const text = out.toString("latin1").replaceAll(/[^ -~]/g, "");
          expect(text).not.toContain(VALUE);
          expect(text).toContain("fake");
        },
      ),
    );
  });

  test("pass byte for byte without it", () => {
    const bytes = Buffer.concat([fragments("hello world", [3, 5]), closeFrame(1000, "bye", null)]);
    expect(through(scrubFrames(scrubber), bytes, 1).equals(bytes)).toBe(true);
  });

  test("are not held back beyond the message", () => {
    const filter = scrubFrames(scrubber);
    const bytes = fragments(`ends with ${VALUE.slice(0, 6)}`, []);
    expect(filter.push(bytes).equals(bytes)).toBe(true);
    expect(filter.atBoundary).toBe(true);
  });

  test("a ping between the frames of a message passes in its place", () => {
    const ping = writeFrame(9, Buffer.from("p"), null);
    const [first, second] = [fragments(VALUE, [5]).subarray(0, 7), fragments(VALUE, [5]).subarray(7)];
    const out = through(scrubFrames(scrubber), Buffer.concat([first, ping, second]), 3);
    expect(out.includes(ping)).toBe(true);
    expect(out.toString("latin1")).not.toContain(VALUE.slice(5));
  });

  test.each([
    ["compressed", 0xc1, 0x01],
    ["masked", 0x81, 0x81],
  ])("that are %s can't be searched and are refused", (_, first, second) => {
    expect(() => scrubFrames(scrubber).push(Buffer.from([first, second, 0, 0, 0, 0, 0]))).toThrow(FrameError);
  });
});

describe("text of a client", () => {
  const mask = Buffer.from([9, 8, 7, 6]);
  const rewrite = (text: string) => text.replace("FAKE", VALUE);
  const decode = (frame: Buffer) => {
    const key = frame.subarray(2, 6);
    return Buffer.from(frame.subarray(6))
      .map((byte, index) => byte ^ (key[index % 4] as number))
      .toString();
  };

  test("has its fake key exchanged, across fragments", () => {
    const first = writeFrame(OPCODE.text, Buffer.from("key FA"), mask);
    first[0] = 0x01;
    const second = writeFrame(OPCODE.continuation, Buffer.from("KE!"), mask);
    const out = through(rewriteFrames(rewrite), Buffer.concat([first, second]), 2);
    expect(decode(out)).toBe(`key ${VALUE}!`);
  });

  test("in binary messages passes as it is", () => {
    const bytes = writeFrame(OPCODE.binary, Buffer.from("key FAKE"), mask);
    expect(through(rewriteFrames(rewrite), bytes, 5).equals(bytes)).toBe(true);
  });

  test("longer than can be held is refused", () => {
    const header = Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0, 0x20, 0, 0, 1, 2, 3, 4]);
    expect(() => rewriteFrames(rewrite).push(header)).toThrow(FrameError);
  });
});
