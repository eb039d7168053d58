// Every row, in the order of the classes.
import type { Row } from "../row.ts";
import { rows as authority } from "./01-authority.ts";
import { rows as path } from "./02-path.ts";
import { rows as target } from "./03-target.ts";
import { rows as smuggling } from "./04-smuggling.ts";
import { rows as hopByHop } from "./06-hop-by-hop.ts";

export const allRows: readonly Row[] = [...authority, ...path, ...target, ...smuggling, ...hopByHop];
