// One sealed value as it lies in the database:
//   byte 0        version, 1
//   bytes 1-16    id of the data key, a UUID's 16 bytes
//   bytes 17-40   nonce
//   bytes 41-     ciphertext and the 16-byte tag
// The associated data binds table, row, purpose and key id: a value moved elsewhere does not open.
import { KEY_BYTES, NONCE_BYTES, TAG_BYTES, associatedData, decrypt, encrypt } from "./aead.ts";
import type { SealContext } from "./contract.ts";
import { VaultError } from "./error.ts";
import { Secret } from "./secret.ts";

const VERSION = 1;
const KEY_ID_BYTES = 16;
const HEADER_BYTES = 1 + KEY_ID_BYTES;

/** A data-encryption key in memory. */
export interface DataKey {
  /** UUID */
  readonly id: string;
  readonly bytes: Buffer;
}

export function sealWith(key: DataKey, context: SealContext, plaintext: Secret): Uint8Array {
  const box = encrypt(key.bytes, plaintext.revealBytes(), bound(context, key.id));
  return Buffer.concat([Buffer.of(VERSION), keyIdBytes(key.id), box]);
}

/** @throws VaultError `cannot_open` */
export function openWith(key: DataKey, context: SealContext, sealed: Uint8Array): Secret {
  const plaintext = decrypt(key.bytes, sealed.subarray(HEADER_BYTES), bound(context, key.id));
  if (plaintext === undefined) throw cannotOpen(context, "it was damaged or moved from another place");
  const secret = Secret.of(plaintext);
  plaintext.fill(0);
  return secret;
}

/** Id of the data key that a sealed value names, or undefined when it is not in this format. */
export function sealedKeyId(sealed: Uint8Array): string | undefined {
  if (sealed.length < HEADER_BYTES + NONCE_BYTES + TAG_BYTES || sealed[0] !== VERSION) return undefined;
  const hex = Buffer.from(sealed.subarray(1, HEADER_BYTES)).toString("hex");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

export function cannotOpen(context: SealContext, reason: string): VaultError {
  const place = `${context.purpose} of ${context.table} ${context.rowId}`;
  return new VaultError("cannot_open", `the sealed ${place} does not open: ${reason}`);
}

/** Memory of its own, so that zeroing it leaves no copy in Buffer's shared pool. */
export function ownedKey(source: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafeSlow(KEY_BYTES);
  bytes.set(source);
  source.fill(0);
  return bytes;
}

function bound(context: SealContext, keyId: string): Uint8Array {
  return associatedData("seal", String(VERSION), context.table, context.rowId, context.purpose, keyId);
}

function keyIdBytes(id: string): Buffer {
  return Buffer.from(id.replaceAll("-", ""), "hex");
}
