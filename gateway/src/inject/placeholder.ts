// Fake keys: shaped like the vendor's, unique per agent and secret, worthless anywhere but behind this gateway.
// They are derived, not stored: the same agent and secret always get the same one. Those of issued tokens are random.
import { createHmac, randomInt } from "node:crypto";
import type { Credential } from "../model.ts";

/** Stands in every fake key, so that people and the gateway see at once what it is. */
export const FAKE_MARK = "OneCLIFake";

/** What clients hold where no unique key was handed out; counts only in an authentication slot. */
export const GENERIC_PLACEHOLDERS: ReadonlySet<string> = new Set(["placeholder", "proxy-managed"]);

interface Shape {
  readonly host: RegExp;
  /** prefix of the vendor's keys and the characters that follow it */
  readonly prefix: string;
  readonly length: number;
}

const shapes: readonly Shape[] = [
  { host: /(^|\.)anthropic\.com$/, prefix: "sk-ant-api03-", length: 95 },
  { host: /(^|\.)openai\.com$/, prefix: "sk-proj-", length: 48 },
  { host: /(^|\.)github\.com$/, prefix: "ghp_", length: 36 },
  { host: /(^|\.)gitlab\.com$/, prefix: "glpat-", length: 20 },
  { host: /(^|\.)stripe\.com$/, prefix: "sk_live_", length: 99 },
  { host: /(^|\.)slack\.com$/, prefix: "xoxb-", length: 50 },
  { host: /(^|\.)notion\.com$/, prefix: "ntn_", length: 46 },
  { host: /(^|\.)linear\.app$/, prefix: "lin_api_", length: 40 },
  { host: /(^|\.)googleapis\.com$/, prefix: "AIza", length: 35 },
  { host: /(^|\.)telegram\.org$/, prefix: "1000000000:", length: 35 },
  { host: /(^|\.)huggingface\.co$/, prefix: "hf_", length: 34 },
  { host: /(^|\.)npmjs\.org$/, prefix: "npm_", length: 36 },
];

const anyVendor = { prefix: "", length: 48 };
const OAUTH_PREFIX = "sk-ant-oat01-";

/** @param key 32 bytes of this installation, from the vault */
export function placeholderFor(key: Buffer, agentId: string, credential: Credential): string {
  const host = credential.hostPattern.replace(/:\d+$/, "").toLowerCase();
  const shape = shapes.find((candidate) => candidate.host.test(host)) ?? anyVendor;
  const prefix = credential.authMode === "oauth" ? OAUTH_PREFIX : shape.prefix;
  const length = Math.max(shape.length, FAKE_MARK.length + UNIQUE_CHARACTERS_MIN);
  return prefix + FAKE_MARK + unique(key, `${agentId}\0${credential.id}`, length - FAKE_MARK.length);
}

/** For a token that an origin issued: kept with it. */
export function randomPlaceholder(): string {
  const characters = Array.from({ length: anyVendor.length - FAKE_MARK.length }, randomCharacter);
  return FAKE_MARK + characters.join("");
}

function randomCharacter(): string {
  return ALPHABET[randomInt(ALPHABET.length)] as string;
}

/** 10 characters of 62 kinds: 59 bits, enough to be unique among one installation's agents and secrets. */
const UNIQUE_CHARACTERS_MIN = 10;
const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

function unique(key: Buffer, label: string, characters: number): string {
  let text = "";
  for (let block = 0; text.length < characters; block += 1) {
    const digest = createHmac("sha256", key).update(`${block}\0${label}`).digest();
    for (const byte of digest) text += ALPHABET[byte % ALPHABET.length];
  }
  return text.slice(0, characters);
}
