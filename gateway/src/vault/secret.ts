import { timingSafeEqual } from "node:crypto";
import { inspect } from "node:util";

const MASK = "[secret]";

/**
 * Plaintext that never prints: strings, JSON, inspection, errors and clones show `[secret]`.
 * The bytes live outside the JavaScript heap and are zeroed by `destroy`.
 */
export class Secret {
  readonly #bytes: Buffer;
  #destroyed = false;

  private constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  static of(plaintext: string | Uint8Array): Secret {
    const source = typeof plaintext === "string" ? Buffer.from(plaintext, "utf8") : plaintext;
    // Not from Buffer's shared pool: other buffers must not lie beside it, and zeroing must own the memory.
    const bytes = Buffer.allocUnsafeSlow(source.byteLength);
    bytes.set(source);
    return new Secret(bytes);
  }

  /** Number of bytes. */
  get length(): number {
    return this.#bytes.length;
  }

  /** The plaintext. Lint allows the call in vault/ and inject/ only. */
  reveal(): string {
    if (this.#destroyed) throw new Error("this secret was destroyed");
    return this.#bytes.toString("utf8");
  }

  revealBytes(): Buffer {
    if (this.#destroyed) throw new Error("this secret was destroyed");
    return this.#bytes;
  }

  equals(other: Secret): boolean {
    return this.length === other.length && timingSafeEqual(this.revealBytes(), other.revealBytes());
  }

  destroy(): void {
    this.#bytes.fill(0);
    this.#destroyed = true;
  }

  toString(): string {
    return MASK;
  }

  toJSON(): string {
    return MASK;
  }

  [Symbol.toPrimitive](): string {
    return MASK;
  }

  [inspect.custom](): string {
    return MASK;
  }

  [Symbol.dispose](): void {
    this.destroy();
  }
}
