// Flags that say where a secret goes in a request and how it is renewed, as members of the contract.
import { type Flags, given, list, text } from "./command.ts";
import { usageError } from "./errors.ts";

type FlagLine = readonly [form: string, meaning: string];

export const injectionFlags: readonly FlagLine[] = [
  ["--header-name <name>", "put it into this header field"],
  ["--value-format <format>", "with --header-name: the field's value, {value} stands for the secret"],
  ["--param-name <name>", "put it into this query parameter"],
  ["--param-format <format>", "with --param-name: the parameter's value"],
  ["--path-template <template>", "put it into the path, e.g. /bot{value}"],
  ["--basic-username <name>", "send it as the password of Basic authentication"],
  ["--placeholder <surfaces>", "swap the agent's fake key in: header,query,path,body,websocket"],
];

export const tokenFlags: readonly FlagLine[] = [
  ["--issues-tokens-for <host>", "a token endpoint's secret: agents get fake tokens, good at this host"],
];

export const rotationFlags: readonly FlagLine[] = [
  ["--rotate-every <time>", "e.g. 30d or 12h; without it by hand only"],
  [
    "--rotate-command <argv>",
    'program that prints the new value; words, or a JSON array ["prog","an argument"]',
  ],
  ["--rotate-webhook <url>", 'https URL that answers {"value":"…"} to a POST'],
  ["--rotate-test-url <url>", "https URL that must accept the new value before the switch"],
];

/** One injection as it is, several as a list. */
export function injectionOf(flags: Flags): unknown {
  refuseAlone(flags, "valueFormat", "headerName");
  refuseAlone(flags, "paramFormat", "paramName");
  const found = [
    pair(flags, "headerName", "valueFormat"),
    pair(flags, "paramName", "paramFormat"),
    single(flags, "pathTemplate"),
    basic(flags),
    placeholder(flags),
  ].filter((injection) => injection !== undefined);
  return found.length > 1 ? found : found[0];
}

function refuseAlone(flags: Flags, format: string, name: string): void {
  if (text(flags, format) === undefined || text(flags, name) !== undefined) return;
  throw usageError(`${format} says how, and nothing says where`, `name the place too (${name})`);
}

function pair(flags: Flags, name: string, format: string): unknown {
  const place = text(flags, name);
  return place === undefined ? undefined : given({ [name]: place, [format]: text(flags, format) });
}

function single(flags: Flags, name: string): unknown {
  const value = text(flags, name);
  return value === undefined ? undefined : { [name]: value };
}

function basic(flags: Flags): unknown {
  const username = text(flags, "basicUsername");
  return username === undefined ? undefined : { basic: { username } };
}

function placeholder(flags: Flags): unknown {
  const surfaces = list(flags, "placeholder");
  return surfaces === undefined ? undefined : { placeholder: surfaces };
}

export function methodsOf(flags: Flags): string[] | undefined {
  return list(flags, "method")?.map((method) => method.toUpperCase());
}

export function issuesTokensOf(flags: Flags): unknown {
  const hostPattern = text(flags, "issuesTokensFor");
  return hostPattern === undefined ? undefined : { hostPattern };
}

export function rotationOf(flags: Flags): unknown {
  const rotation = given({
    rotateEvery: text(flags, "rotateEvery"),
    command: commandWords(text(flags, "rotateCommand")),
    webhook: text(flags, "rotateWebhook"),
    testUrl: text(flags, "rotateTestUrl"),
  });
  return Object.keys(rotation).length === 0 ? undefined : rotation;
}

/** No shell runs it: quotes would reach the program as they are, so they are refused. */
function commandWords(argument: string | undefined): string[] | undefined {
  if (argument === undefined) return undefined;
  if (argument.trimStart().startsWith("[")) return jsonWords(argument);
  if (/["'`$|;&<>\\]/.test(argument)) {
    throw usageError(
      "--rotate-command is run without a shell: quotes, pipes and variables mean nothing there",
      'write a JSON array, e.g. \'["vault","read","-field=key"]\'',
    );
  }
  return argument.split(/\s+/).filter((word) => word !== "");
}

function jsonWords(argument: string): string[] {
  try {
    const words: unknown = JSON.parse(argument);
    if (Array.isArray(words) && words.every((word) => typeof word === "string")) return words;
  } catch {
    // said below
  }
  throw usageError("--rotate-command is not a JSON array of strings");
}
