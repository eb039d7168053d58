// The form of an API key: `oc_` and 64 hex digits, as published clients expect it.
import { randomBytes } from "node:crypto";

const KEY_BYTES = 32;

export function makeApiKey(): string {
  return `oc_${randomBytes(KEY_BYTES).toString("hex")}`;
}

export function isApiKey(text: string): boolean {
  return /^oc_[0-9a-f]{64}$/.test(text);
}

/** `oc_1234••••cdef` */
export function previewOfKey(key: string): string {
  return `${key.slice(0, 7)}••••${key.slice(-4)}`;
}
