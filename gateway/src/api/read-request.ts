// Parses what a client sent: query and JSON body, each against its schema, errors naming the member.
import type { Endpoint } from "@onecli/sdk/contract";
import type { z } from "zod";
import { limits } from "../limits.ts";
import { ApiError, invalid } from "./problem.ts";

export interface Parsed {
  readonly query: unknown;
  readonly body: unknown;
}

export async function readRequest(
  endpoint: Endpoint,
  request: Request,
  inspect?: (body: unknown) => void,
): Promise<Parsed> {
  const { searchParams } = new URL(request.url);
  const query = endpoint.query && parse(endpoint.query, Object.fromEntries(searchParams));
  if (endpoint.body === undefined) return { query, body: undefined };
  const body = parseJson(await readText(request));
  inspect?.(body);
  return { query, body: parse(endpoint.body, body) };
}

/** @throws ApiError 400 that names the first member that was refused */
export function parse<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const [first] = result.error.issues;
  const { path, message } = first === undefined ? { path: [], message: "is not valid" } : closest(first);
  throw invalid(path.map(String).join("."), message);
}

type Issue = z.core.$ZodIssue;

/** In a union the branch that knows all members that were sent says best what is wrong. */
function closest(issue: Issue): { path: readonly PropertyKey[]; message: string } {
  if (issue.code !== "invalid_union") return { path: issue.path, message: messageOf(issue) };
  const branches = issue.errors.filter((issues) => issues.every(knowsItsMembers));
  const [inner] = branches[0] ?? [];
  if (inner === undefined || branches.length > 1)
    return { path: issue.path, message: "is none of the forms that are allowed here" };
  const { path, message } = closest(inner);
  return { path: [...issue.path, ...path], message };
}

function knowsItsMembers(issue: Issue): boolean {
  if (issue.code === "invalid_union") return issue.errors.some((issues) => issues.every(knowsItsMembers));
  return issue.code !== "unrecognized_keys" && !(issue.code === "invalid_type" && issue.path.length === 0);
}

function messageOf(issue: Issue): string {
  const isMissing = issue.code === "invalid_type" && issue.message.endsWith("received undefined");
  return isMissing ? "is required" : issue.message;
}

/** The parser's own message would quote the input, which may hold a secret. */
function parseJson(text: string): unknown {
  if (text.trim() === "") return {};
  try {
    return JSON.parse(text);
  } catch {
    throw invalid("", "the body is not valid JSON");
  }
}

/** JSON only: a cross-site form can't send that type without asking first. */
async function readText(request: Request): Promise<string> {
  const type = request.headers.get("content-type") ?? "";
  if (request.body !== null && !/^application\/(?:[a-z0-9.+-]+\+)?json *(?:;|$)/i.test(type)) {
    throw invalid("", "the body must be application/json");
  }
  if (request.headers.has("content-encoding")) throw invalid("", "the body must not be compressed");
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await readBytes(request));
  } catch (error) {
    throw error instanceof ApiError ? error : invalid("", "the body is not valid UTF-8");
  }
}

async function readBytes(request: Request): Promise<Buffer> {
  if (Number(request.headers.get("content-length") ?? 0) > limits.apiBodyBytesMax) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body ?? []) {
    length += chunk.byteLength;
    if (length > limits.apiBodyBytesMax) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function tooLarge(): ApiError {
  return new ApiError(413, {
    error: `the body is larger than ${limits.apiBodyBytesMax} bytes`,
    code: "body_too_large",
  });
}
