// Frames of a WebSocket (RFC 6455 section 5.2) as they pass: headers are read, payloads handed on in pieces.

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8 } as const;

export interface Frame {
  readonly fin: boolean;
  /** true = an extension that nobody agreed on */
  readonly reserved: boolean;
  readonly opcode: number;
  /** masking key; null = not masked */
  readonly mask: Buffer | null;
  /** bytes of payload */
  readonly length: number;
  /** the header as it was received */
  readonly header: Buffer;
}

export interface FrameVisitor {
  begin(frame: Frame): void;
  /** @param offset of the piece in the frame's payload */
  payload(frame: Frame, piece: Buffer, offset: number): void;
  end(frame: Frame): void;
}

export interface FrameReader {
  /** @throws FrameError */
  push(chunk: Buffer): void;
  /** true = nothing of a next frame has arrived yet */
  readonly atBoundary: boolean;
}

/** The peer does not speak RFC 6455. */
export class FrameError extends Error {}

const HEADER_BYTES_MAX = 14;

export function createFrameReader(visitor: FrameVisitor): FrameReader {
  let header = Buffer.alloc(0);
  let frame: Frame | null = null;
  let offset = 0;
  const finish = () => {
    if (frame === null || offset < frame.length) return;
    const ended = frame;
    frame = null;
    offset = 0;
    visitor.end(ended);
  };
  return {
    push(chunk) {
      let at = 0;
      while (at < chunk.length) {
        if (frame === null) {
          const joined = Buffer.concat([header, chunk.subarray(at, at + HEADER_BYTES_MAX)]);
          const read = readHeader(joined);
          if (read === null) {
            header = joined;
            return;
          }
          at += read.header.length - header.length;
          header = Buffer.alloc(0);
          frame = read;
          visitor.begin(read);
        } else {
          const piece = chunk.subarray(at, at + frame.length - offset);
          visitor.payload(frame, piece, offset);
          offset += piece.length;
          at += piece.length;
        }
        finish();
      }
    },
    get atBoundary() {
      return frame === null && header.length === 0;
    },
  };
}

/** null = more bytes are needed */
function readHeader(bytes: Buffer): Frame | null {
  if (bytes.length < 2) return null;
  const [first = 0, second = 0] = bytes;
  const short = second & 0x7f;
  const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
  const isMasked = (second & 0x80) !== 0;
  const size = 2 + lengthBytes + (isMasked ? 4 : 0);
  if (bytes.length < size) return null;
  const opcode = first & 0x0f;
  const frame = {
    fin: (first & 0x80) !== 0,
    reserved: (first & 0x70) !== 0,
    opcode,
    mask: isMasked ? Buffer.from(bytes.subarray(size - 4, size)) : null,
    length: lengthBytes === 0 ? short : longLength(bytes, lengthBytes),
    header: Buffer.from(bytes.subarray(0, size)),
  };
  return checked(frame);
}

/** RFC 6455 section 5.5 */
function checked(frame: Frame): Frame {
  if (isControl(frame) && (!frame.fin || frame.length > 125)) throw new FrameError("bad control frame");
  return frame;
}

function longLength(bytes: Buffer, lengthBytes: number): number {
  const length = lengthBytes === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  if (!Number.isSafeInteger(length)) throw new FrameError("frame too long");
  return length;
}

export function isControl({ opcode }: Pick<Frame, "opcode">): boolean {
  return opcode >= 8;
}

export function unmask(piece: Buffer, mask: Buffer | null, offset: number): Buffer {
  if (mask === null) return piece;
  const plain = Buffer.allocUnsafe(piece.length);
  for (let i = 0; i < piece.length; i += 1)
    plain[i] = (piece[i] as number) ^ (mask[(offset + i) % 4] as number);
  return plain;
}

/** A whole message or control frame. @param mask null = from a server */
export function writeFrame(opcode: number, payload: Buffer, mask: Buffer | null): Buffer {
  const { length } = payload;
  const lengthBytes = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const header = Buffer.alloc(2 + lengthBytes + (mask === null ? 0 : 4));
  header[0] = 0x80 | opcode;
  header[1] = (mask === null ? 0 : 0x80) | (lengthBytes === 0 ? length : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) header.writeUInt16BE(length, 2);
  if (lengthBytes === 8) header.writeBigUInt64BE(BigInt(length), 2);
  mask?.copy(header, 2 + lengthBytes);
  return Buffer.concat([header, unmask(payload, mask, 0)]);
}

/** RFC 6455 section 7.4.1 */
export function closeFrame(code: number, reason: string, mask: Buffer | null): Buffer {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason));
  payload.writeUInt16BE(code, 0);
  payload.write(reason, 2);
  return writeFrame(OPCODE.close, payload, mask);
}
