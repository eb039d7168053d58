// Every call of the contract, typed by it: parameters from the path, body and query from the schemas, answers parsed.
import type { z } from "zod";
import { type Endpoint, type EndpointName, endpoints } from "./contract/index.ts";
import { OneCLIError } from "./errors.ts";
import { type CallOptions, type Connection, exchange } from "./transport.ts";

type Endpoints = typeof endpoints;
type PathParameter<Path> = Path extends `${string}:${infer Name}/${infer Rest}`
  ? Name | PathParameter<Rest>
  : Path extends `${string}:${infer Name}`
    ? Name
    : never;
type ParamsOf<E> = E extends { path: infer Path }
  ? [PathParameter<Path>] extends [never]
    ? unknown
    : { params: Readonly<Record<PathParameter<Path>, string>> }
  : never;
type BodyOf<E> = E extends { body: infer Body extends z.ZodType } ? { body: z.input<Body> } : unknown;
type QueryOf<E> = E extends { query: infer Query extends z.ZodType } ? { query?: z.input<Query> } : unknown;

export type CallInput<N extends EndpointName> = ParamsOf<Endpoints[N]> &
  BodyOf<Endpoints[N]> &
  QueryOf<Endpoints[N]>;
export type CallOutput<N extends EndpointName> = Endpoints[N] extends { response: infer R extends z.ZodType }
  ? z.output<R>
  : Endpoints[N] extends { responseType: string }
    ? string
    : undefined;

/** The input may be left out where nothing in it is required. */
export type CallArguments<N extends EndpointName> =
  object extends CallInput<N>
    ? [input?: CallInput<N>, options?: CallOptions]
    : [input: CallInput<N>, options?: CallOptions];

interface AnyInput {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly body?: unknown;
}

export async function call<N extends EndpointName>(
  connection: Connection,
  name: N,
  ...[input, options]: CallArguments<N>
): Promise<CallOutput<N>> {
  const endpoint: Endpoint = endpoints[name];
  const given: AnyInput = input ?? {};
  const url = `${connection.url}/v1${pathOf(endpoint, given)}${queryOf(given)}`;
  const text = await exchange(connection, { method: endpoint.method, url, body: given.body }, options);
  return answerOf(endpoint, text) as CallOutput<N>;
}

function pathOf(endpoint: Endpoint, input: AnyInput): string {
  return endpoint.path.replaceAll(/:([A-Za-z]+)/g, (_, name: string) => segment(name, input.params?.[name]));
}

/** A dot segment would be resolved by `fetch`, and the call would reach another resource. */
function segment(name: string, value: string | undefined): string {
  if (value === undefined || value === "" || value === "." || value === "..") {
    throw new OneCLIError(`"${value ?? ""}" is not an ${name}`, { hint: "take it from the list command" });
  }
  return encodeURIComponent(value);
}

function queryOf(input: AnyInput): string {
  const pairs = Object.entries(input.query ?? {})
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`);
  return pairs.length === 0 ? "" : `?${pairs.join("&")}`;
}

function answerOf(endpoint: Endpoint, text: string): unknown {
  if (endpoint.response === undefined) return endpoint.responseType === undefined ? undefined : text;
  const parsed = endpoint.response.safeParse(parseJson(endpoint, text));
  if (parsed.success) return parsed.data;
  const where = parsed.error.issues[0]?.path.join(".") ?? "";
  throw unknownForm(endpoint, `member "${where}" is missing or of another type`);
}

function parseJson(endpoint: Endpoint, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw unknownForm(endpoint, "it is not JSON");
  }
}

function unknownForm(endpoint: Endpoint, why: string): OneCLIError {
  return new OneCLIError(`cannot read the answer to ${endpoint.method} ${endpoint.path}: ${why}`, {
    hint: "is this a OneCLI gateway, and of the same version as this client?",
  });
}
