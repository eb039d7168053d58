// The one error of the store: what is wrong with which file, row or column, and never a value.

export type StoreErrorCode =
  | "locked"
  | "permissions"
  | "not_a_database"
  | "corrupt"
  | "newer_version"
  | "migration_failed"
  | "invalid_row"
  | "not_found"
  | "conflict"
  | "transaction";

export class StoreError extends Error {
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "StoreError";
    this.code = code;
  }
}

/** An update that met no row is a caller's mistake that must not pass for a success. */
export function expectChange(changed: number, table: string, id: string): void {
  if (changed === 0) throw new StoreError("not_found", `table ${table} has no row ${id}`);
}
