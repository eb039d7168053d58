// What the audit says happened: openings and closings, read page by page as rows arrive, by the API or past it.
import path from "node:path";
import Database from "better-sqlite3";
import type { GatewayProcess } from "../support/process.ts";

export interface Ledger {
  /** last segment of the path of every opening */
  readonly opened: Set<string>;
  /** ids of the exchanges that were opened and not closed */
  readonly unclosed: Set<string>;
  /** outcome of a closed exchange by the last segment of its path */
  readonly outcomes: Map<string, string>;
  readonly rows: number;
  /** Reads what was written since. */
  read(): Promise<void>;
  verify(): Promise<{ valid: boolean; records: number; problem: string | null }>;
}

interface Row {
  readonly seq: number;
  readonly type: string;
  readonly exchangeId?: string;
  readonly path?: string;
  readonly outcome?: string;
}

const PAGE_ROWS = 1000;

/** The rows after a sequence number, at most `PAGE_ROWS`. */
type Source = (after: number) => Row[] | Promise<Row[]>;

export const byApi =
  (gateway: GatewayProcess): Source =>
  async (after) => {
    const target = `/v1/audit?after=${after}&limit=${PAGE_ROWS}`;
    return (await gateway.api<{ records: Row[] }>("GET", target)).records;
  };

/** Straight from the file, also while the gateway runs: for many rows. */
export const byDatabase =
  ({ dataDir }: GatewayProcess): Source =>
  (after) => {
    const db = new Database(path.join(dataDir, "gateway.db"), { readonly: true });
    const page = "SELECT seq, body FROM audit_records WHERE seq > ? ORDER BY seq LIMIT ?";
    const rows = db.prepare<[number, number], { seq: number; body: string }>(page).all(after, PAGE_ROWS);
    db.close();
    return rows.map(({ seq, body }) => ({ ...(JSON.parse(body) as Omit<Row, "seq">), seq }));
  };

export function openLedger(gateway: GatewayProcess, source: Source = byApi(gateway)): Ledger {
  const opened = new Set<string>();
  const unclosed = new Set<string>();
  const outcomes = new Map<string, string>();
  const names = new Map<string, string>();
  let after = 0;

  function note({ type, exchangeId = "", path = "", outcome = "" }: Row): void {
    const name = path.slice(path.lastIndexOf("/") + 1);
    if (type === "open") {
      opened.add(name);
      unclosed.add(exchangeId);
      names.set(exchangeId, name);
    } else if (type === "close") {
      unclosed.delete(exchangeId);
      outcomes.set(names.get(exchangeId) ?? exchangeId, outcome);
      names.delete(exchangeId);
    }
  }

  return {
    opened,
    unclosed,
    outcomes,
    get rows() {
      return after;
    },
    async read() {
      for (let full = true; full;) {
        const rows = await source(after);
        for (const row of rows) note(row);
        after = rows.at(-1)?.seq ?? after;
        full = rows.length === PAGE_ROWS;
      }
    },
    verify: () => gateway.api("POST", "/v1/audit/verify"),
  };
}
