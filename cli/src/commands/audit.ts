// onecli audit …
import { setTimeout as sleep } from "node:timers/promises";
import type { OneCLI } from "@onecli/sdk";
import {
  type Command,
  type Flags,
  given,
  integer,
  type Invocation,
  type Noun,
  type Row,
} from "../command.ts";
import type { Context } from "../context.ts";
import { usageError } from "../errors.ts";
import { clientOf } from "../settings.ts";

const columns = [
  "seq",
  "at",
  "type",
  "action",
  "agent",
  "method",
  "authority",
  "path",
  "status",
  "code",
  "rule",
];
const filters = [
  ["--agent <identifier>", "only this agent"],
  ["--host <host>", "only calls to this host"],
  ["--type <type>", "only records of this type"],
  ["--verdict <verdict>", "only this verdict"],
] as const;

/** the gateway answers with at most this many */
const PAGE_ROWS_MAX = 1000;
const TAIL_ROWS_DEFAULT = 20;
const FOLLOW_PAUSE_MS = 1000;
const VERIFY_TIMEOUT_MS = 10 * 60_000;

const listRecords: Command = {
  name: "list",
  summary: "Audit records, newest first",
  flags: [...filters, ["--before <seq>", "only older than this sequence number"]],
  examples: [
    "onecli audit list --agent research --max 50",
    "onecli audit list --host api.github.com -o json",
  ],
  run: async ({ flags, context }) => {
    const limit = pageRows(integer(flags, "max"));
    const query = { ...filtersOf(flags), limit, before: integer(flags, "before") };
    const { records } = await (await clientOf(context)).audit.list(query);
    return { kind: "list", rows: records, columns };
  },
};

const tail: Command = {
  name: "tail",
  summary: "The latest records, oldest first; with --follow also those to come, one JSON object a line",
  flags: [...filters, ["-f, --follow", "go on until interrupted"]],
  examples: ["onecli audit tail --follow", "onecli audit tail --max 100 -o json | jq .host"],
  run: async (invocation) => ({ kind: "stream", rows: await latest(invocation), columns }),
};

/** The first page is fetched before anything is printed, so that a refusal is an error and not an empty stream. */
async function latest({ flags, context }: Invocation): Promise<AsyncGenerator<Row>> {
  const client = await clientOf(context);
  const limit = pageRows(integer(flags, "max") ?? TAIL_ROWS_DEFAULT);
  const first = (await client.audit.list({ ...filtersOf(flags), limit })).records.toReversed();
  return rows(first, async function* () {
    if (flags["follow"] === true) yield* later(client, filtersOf(flags), first.at(-1)?.seq ?? 0, context);
  });
}

async function* rows(first: readonly Row[], rest: () => AsyncGenerator<Row>): AsyncGenerator<Row> {
  yield* first;
  yield* rest();
}

async function* later(client: OneCLI, query: Filters, seen: number, context: Context): AsyncGenerator<Row> {
  const stopped = context.interrupted();
  let after = seen;
  while (!stopped.aborted) {
    const { records } = await client.audit.list({ ...query, after, limit: PAGE_ROWS_MAX });
    yield* records;
    after = records.at(-1)?.seq ?? after;
    if (records.length < PAGE_ROWS_MAX)
      await sleep(FOLLOW_PAUSE_MS, undefined, { signal: stopped }).catch(() => {});
  }
}

type Filters = Partial<Record<"agent" | "host" | "type" | "verdict", string>>;

function filtersOf(flags: Flags): Filters {
  const { agent, host, type, verdict } = flags;
  return given({ agent, host, type, verdict });
}

function pageRows(count: number | undefined): number {
  if (count === undefined) return TAIL_ROWS_DEFAULT;
  if (count >= 1 && count <= PAGE_ROWS_MAX) return count;
  throw usageError(`--max is between 1 and ${PAGE_ROWS_MAX}`, "page back with onecli audit list --before");
}

const verify: Command = {
  name: "verify",
  summary: "Compute the chain of hashes again; exit code 1 when a record was changed or removed",
  examples: ["onecli audit verify"],
  run: async ({ context }) => {
    const client = await clientOf(context);
    const verification = await client.call("verifyAudit", {}, { timeoutMs: VERIFY_TIMEOUT_MS });
    return { kind: "object", value: verification, exitCode: verification.valid ? 0 : 1 };
  },
};

export const audit: Noun = {
  name: "audit",
  summary: "What agents did",
  commands: [tail, listRecords, verify],
};
