// The key-encryption key (KEK): wraps the data keys, and is itself never stored in the database.
import sodium from "libsodium-wrappers";

export type KekSource = "setting" | "file" | "passphrase" | "default-file";

export interface Kek {
  /** 16 hex digits that tell keys apart and reveal nothing */
  readonly id: string;
  readonly bytes: Buffer;
  /** for messages: the file or setting */
  readonly origin: string;
  readonly source: KekSource;
}

/** Call when `sodium.ready`. */
export function kekOf(bytes: Buffer, origin: string, source: KekSource): Kek {
  // Keyed BLAKE2b (RFC 7693 section 2.9): without the key its output says nothing about it.
  const id = Buffer.from(sodium.crypto_generichash(32, "onecli kek id", bytes)).toString("hex", 0, 8);
  return { id, bytes, origin, source };
}
