import type { Migration } from "kysely/migration";
import * as initial from "./0001_initial.ts";

/** In order, forward only; a released migration is never edited. */
export const migrations: Readonly<Record<string, Migration>> = { "0001_initial": initial };
