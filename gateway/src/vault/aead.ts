// XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha) with associated data. The 192-bit nonce is random: no counter to keep.
import { randomBytes } from "node:crypto";
import sodium from "libsodium-wrappers";

export const KEY_BYTES = 32;
export const NONCE_BYTES = 24;
export const TAG_BYTES = 16;

/** `nonce || ciphertext || tag` */
export function encrypt(key: Uint8Array, plaintext: Uint8Array, associated: Uint8Array): Uint8Array {
  const nonce = randomBytes(NONCE_BYTES);
  const ciphertext = sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(
    plaintext,
    associated,
    null,
    nonce,
    key,
  );
  return Buffer.concat([nonce, ciphertext]);
}

/** The plaintext, or undefined when the key, the bytes or the associated data are not those of `encrypt`. */
export function decrypt(key: Uint8Array, box: Uint8Array, associated: Uint8Array): Uint8Array | undefined {
  if (box.length < NONCE_BYTES + TAG_BYTES) return undefined;
  const nonce = box.subarray(0, NONCE_BYTES);
  const ciphertext = box.subarray(NONCE_BYTES);
  try {
    return sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(null, ciphertext, associated, nonce, key);
  } catch {
    return undefined;
  }
}

/** Each part behind its length in bytes (32 bits, big endian), so that no two lists of parts encode alike. */
export function associatedData(...parts: readonly string[]): Uint8Array {
  return Buffer.concat(parts.flatMap(lengthPrefixed));
}

function lengthPrefixed(part: string): Buffer[] {
  // A lone surrogate encodes like U+FFFD: two different strings would share their bytes.
  if (!part.isWellFormed()) throw new TypeError("associated data must be well-formed Unicode");
  const bytes = Buffer.from(part, "utf8");
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return [length, bytes];
}
