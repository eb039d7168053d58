// The ports that the vault and the authority use, in memory, with transactions that roll back.
import type { AuthorityRow, KeyRow, SealedCell, SealedPosition, Store } from "../store/store.ts";

export type TestStore = Pick<Store, "transaction" | "meta" | "keys" | "authority" | "sealed"> & {
  put(cell: SealedCell): void;
  /** everything that is stored, to compare */
  dump(): string;
};

interface Rows {
  meta: Map<string, string>;
  keys: Map<string, KeyRow>;
  authority: AuthorityRow | undefined;
  sealed: SealedCell[];
}

export function testStore(): TestStore {
  let rows: Rows = { meta: new Map(), keys: new Map(), authority: undefined, sealed: [] };
  let depth = 0;
  return {
    transaction(work) {
      const before = structuredClone(rows);
      depth += 1;
      try {
        return work();
      } catch (error) {
        if (depth === 1) rows = before;
        throw error;
      } finally {
        depth -= 1;
      }
    },
    meta: {
      get: (key) => rows.meta.get(key),
      set: (key, value) => void rows.meta.set(key, value),
    },
    keys: {
      list: () => [...rows.keys.values()],
      insert: (row) => void rows.keys.set(row.id, { ...row, wrapped: Uint8Array.from(row.wrapped) }),
      update: (id, change) => void rows.keys.set(id, { ...rows.keys.get(id)!, ...change }),
      delete: (id) => void rows.keys.delete(id),
    },
    authority: {
      get: () => rows.authority,
      insert: (row) => void (rows.authority = row),
    },
    sealed: {
      page(after, count) {
        const sorted = all(rows).sort((a, b) => (order(a) < order(b) ? -1 : 1));
        return sorted.filter((cell) => after === null || order(cell) > order(after)).slice(0, count);
      },
      replace(position, sealed) {
        if (position.table === "authority") rows.authority = { ...rows.authority!, keySealed: sealed };
        else {
          rows.sealed = rows.sealed.map((cell) =>
            order(cell) === order(position) ? { ...cell, sealed: Uint8Array.from(sealed) } : cell,
          );
        }
      },
    },
    put(cell) {
      const others = rows.sealed.filter((other) => order(other) !== order(cell));
      rows.sealed = [...others, { ...cell, sealed: Uint8Array.from(cell.sealed) }];
    },
    dump: () => JSON.stringify({ ...rows, meta: [...rows.meta], keys: [...rows.keys] }),
  };
}

function all(rows: Rows): SealedCell[] {
  const { authority } = rows;
  if (authority === undefined) return [...rows.sealed];
  return [...rows.sealed, { table: "authority", rowId: authority.id, sealed: authority.keySealed }];
}

function order({ table, rowId }: SealedPosition): string {
  return `${table}/${rowId}`;
}
