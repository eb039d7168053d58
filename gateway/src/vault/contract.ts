// What the rest of the gateway may ask of the vault.
import type { SealedPosition } from "../store/store.ts";
import type { Secret } from "./secret.ts";

/** Bound to a ciphertext as associated data, so that a value moved to another row or purpose does not open. */
export interface SealContext extends SealedPosition {
  readonly purpose: "secret-value" | "agent-token" | "authority-key";
}

export interface Vault {
  readonly activeKeyId: string;
  /** Store the result in the same event-loop turn: a rotation that ends in between destroys the key it needs. */
  seal(context: SealContext, plaintext: Secret): Uint8Array;
  /** @throws VaultError `cannot_open` when the key is unknown or the ciphertext does not belong to this place */
  open(context: SealContext, sealed: Uint8Array): Secret;
  /** 32 bytes that never leave this installation, for a purpose of its own (fake keys, signed anchors). */
  derive(purpose: string): Buffer;
  /** New data key (and, where the key-encryption key is the gateway's own file, a new one of that too); re-encrypts everything but `damaged` values. Resumable. */
  rotate(): Promise<{ keyId: string; rewrapped: number; reencrypted: number; damaged: number }>;
  /** Zeroes the keys; every call after it throws VaultError `closed`. */
  close(): void;
}
