// Every row, in the order of the classes.
import type { Row } from "../row.ts";
import { rows as authority } from "./01-authority.ts";
import { rows as path } from "./02-path.ts";
import { rows as target } from "./03-target.ts";
import { rows as smuggling } from "./04-smuggling.ts";
import { rows as hopByHop } from "./06-hop-by-hop.ts";
import { rows as secondWay } from "./07-second-way.ts";
import { rows as redirect } from "./08-redirect.ts";
import { rows as echo } from "./09-echo.ts";
import { rows as echoMessages } from "./09-echo-messages.ts";
import { rows as names } from "./10-names.ts";
import { rows as addresses } from "./11-addresses.ts";
import { rows as rebinding } from "./12-rebinding.ts";
import { rows as cleartext } from "./13-cleartext.ts";
import { rows as tunnels } from "./14-tunnels.ts";
import { rows as certificates } from "./15-certificates.ts";
import { rows as desync } from "./16-desync.ts";
import { rows as placeholders } from "./19-placeholders.ts";
import { rows as traces } from "./21-traces.ts";
import { rows as controlPlane } from "./22-control-plane.ts";
import { rows as exhaustion } from "./24-exhaustion.ts";
import { rows as guessing } from "./25-guessing.ts";
import { rows as files } from "./26-files.ts";

export const allRows: readonly Row[] = [
  ...authority,
  ...path,
  ...target,
  ...smuggling,
  ...hopByHop,
  ...secondWay,
  ...redirect,
  ...echo,
  ...echoMessages,
  ...names,
  ...addresses,
  ...rebinding,
  ...cleartext,
  ...tunnels,
  ...certificates,
  ...desync,
  ...placeholders,
  ...traces,
  ...controlPlane,
  ...exhaustion,
  ...guessing,
  ...files,
];
