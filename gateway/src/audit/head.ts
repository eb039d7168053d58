// The signed end of the chain. Rows up to it can't be removed, changed or written anew without the key; those after
// it are at most `limits.auditHeadIntervalMs` old.
import type { Database } from "better-sqlite3";
import { z } from "zod";
import { type Position, sameBytes, type Signer } from "./signature.ts";

const META_KEY = "audit_head";
const hex = z.string().regex(/^[0-9a-f]{64}$/);
const stored = z.object({ seq: z.int().min(0), hash: hex, mac: hex });

export type SignedHead =
  | { readonly state: "valid"; readonly position: Position }
  | { readonly state: "missing" }
  | { readonly state: "forged" };

export function readHead(db: Database, signer: Signer): SignedHead {
  const text = db.prepare<[string], string>("SELECT value FROM meta WHERE key = ?").pluck().get(META_KEY);
  if (text === undefined) return { state: "missing" };
  const parsed = stored.safeParse(parseJson(text));
  if (!parsed.success) return { state: "forged" };
  const position = { seq: parsed.data.seq, hash: Buffer.from(parsed.data.hash, "hex") };
  const valid = sameBytes(signer.head(position), Buffer.from(parsed.data.mac, "hex"));
  return valid ? { state: "valid", position } : { state: "forged" };
}

export function headWriter(db: Database, signer: Signer): (position: Position) => void {
  const write = db.prepare(
    "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
  );
  return (position) => {
    const { seq, hash } = position;
    const mac = signer.head(position).toString("hex");
    write.run(META_KEY, JSON.stringify({ seq, hash: hash.toString("hex"), mac }));
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
