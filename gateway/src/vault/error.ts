// Why the vault refuses. Messages are for the administrator: they name files and settings, never key material.

export type VaultErrorCode =
  /** a key, but not the one that the store's keys are wrapped with */
  | "wrong_key"
  /** the store holds keys and there is none to unwrap them with */
  | "key_missing"
  /** the key file is not one that only this user can use, or two keys were given */
  | "key_refused"
  /** too short, too long, too weak or not in a known encoding */
  | "key_malformed"
  /** the ciphertext is damaged, was moved, or its data key is unknown */
  | "cannot_open"
  | "closed";

export class VaultError extends Error {
  readonly code: VaultErrorCode;

  constructor(code: VaultErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "VaultError";
    this.code = code;
  }
}
