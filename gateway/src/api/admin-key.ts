// The first admin key: made once, kept as a hash; its plaintext goes to a file that only its owner reads.
import { randomUUID } from "node:crypto";
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { hashToken } from "../agents/token.ts";
import type { Audit } from "../audit/contract.ts";
import type { ApiKey, Clock } from "../model.ts";
import type { Store } from "../store/store.ts";
import { isApiKey, makeApiKey, previewOfKey } from "./api-key.ts";

export interface AdminKeyParts {
  readonly store: Pick<Store, "transaction" | "apiKeys">;
  readonly audit: Pick<Audit, "control">;
  readonly clock: Clock;
  /** ONECLI_API_KEY */
  readonly fromEnvironment?: string | undefined;
  /** where the CLI reads its key */
  readonly credentialsFile: string;
}

export type AdminKeyOutcome = "present" | "environment" | "adopted" | "created";

/** @throws Error that names the variable or file, never what it holds */
export function ensureAdminKey(parts: AdminKeyParts): AdminKeyOutcome {
  const { fromEnvironment, credentialsFile } = parts;
  if (fromEnvironment !== undefined && fromEnvironment !== "") {
    return ensureKey(parts, { text: fromEnvironment, name: "ONECLI_API_KEY", outcome: "environment" });
  }
  if (parts.store.apiKeys.list().some((key) => key.role === "admin")) return "present";
  const known = readKeyFile(credentialsFile);
  if (known !== undefined) return ensureKey(parts, { text: known, name: "admin", outcome: "adopted" });
  const text = makeApiKey();
  // The file first: a key in the database that nobody has would lock its owner out.
  writeKeyFile(credentialsFile, text);
  return ensureKey(parts, { text, name: "admin", outcome: "created" });
}

interface Wanted {
  readonly text: string;
  readonly name: string;
  readonly outcome: AdminKeyOutcome;
}

function ensureKey({ store, audit, clock }: AdminKeyParts, { text, name, outcome }: Wanted): AdminKeyOutcome {
  if (!isApiKey(text))
    throw new Error(`${name} must hold a key of the form oc_ and 64 lower-case hex digits`);
  const hash = hashToken(text);
  const existing = store.apiKeys.list().find((key) => key.hash === hash);
  if (existing?.role === "admin") return "present";
  if (existing !== undefined)
    throw new Error(`${name} holds a key whose role is ${existing.role}, not admin`);
  const key: ApiKey = {
    id: randomUUID(),
    name,
    role: "admin",
    hash,
    preview: previewOfKey(text),
    createdAt: clock(),
  };
  store.transaction(() => {
    store.apiKeys.insert(key);
    audit.control({
      action: "api_key.created",
      actor: "gateway",
      target: key.id,
      detail: { name, role: "admin" },
    });
  });
  return outcome;
}

/**
 * A file that is there belongs to its user (it may open another gateway too): its key is adopted, never overwritten.
 */
function readKeyFile(file: string): string | undefined {
  const descriptor = openKeyFile(file);
  if (descriptor === undefined) return undefined;
  try {
    const stat = fstatSync(descriptor);
    const isPrivate =
      stat.isFile() && (stat.mode & 0o077) === 0 && stat.uid === (process.getuid?.() ?? stat.uid);
    if (!isPrivate && process.platform !== "win32") {
      throw new Error(`${file} must be a file that only you can read: chmod 600 '${file}'`);
    }
    const text = readFileSync(descriptor, "utf8").trim();
    if (!isApiKey(text)) throw new Error(`${file} does not hold an API key of this gateway; move it away`);
    return text;
  } finally {
    closeSync(descriptor);
  }
}

function openKeyFile(file: string): number | undefined {
  if (lstatSync(file, { throwIfNoEntry: false }) === undefined) return undefined;
  try {
    return openSync(file, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  } catch (error) {
    throw new Error(`${file} can't be opened, or is a symbolic link`, { cause: error });
  }
}

/** Complete or not at all: written under another name, on disk, then renamed. */
function writeKeyFile(file: string, text: string): void {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${randomUUID()}.new`;
  const descriptor = openSync(draft, "wx", 0o600);
  try {
    writeFileSync(descriptor, `${text}\n`);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(draft, file);
}
