// Bytes that hold a new value into text, bounded; they are zeroed, so that the text is the only copy.
import { RotationError } from "./error.ts";

/** @param who gave the bytes, for the message */
export async function readText(
  stream: AsyncIterable<Uint8Array>,
  bytesMax: number,
  who: string,
): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of stream) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > bytesMax) throw new RotationError(`${who} gave more than ${bytesMax} bytes`);
    }
    return decode(chunks, who);
  } finally {
    for (const chunk of chunks) chunk.fill(0);
  }
}

function decode(chunks: readonly Uint8Array[], who: string): string {
  const whole = Buffer.concat(chunks);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(whole);
  } catch {
    throw new RotationError(`${who} gave something that is not UTF-8 text`);
  } finally {
    whole.fill(0);
  }
}
