// The policy decision on a call in every form in which an origin may take it: by its own method or by one that a field
// names instead, by the path that was asked for or by the one that leaves with a credential in it.
import type { Outgoing } from "../inject/contract.ts";
import type { Decision, Route } from "../policy/contract.ts";
import { decide } from "../policy/decide.ts";
import type { Target } from "../target/contract.ts";
import { parseTarget } from "../target/path.ts";
import { fieldCount, fieldValues } from "./fields.ts";
import type { Received } from "./receive.ts";

type Asked = Pick<Received, "method" | "request">;
type Deny = Extract<Decision, { effect: "deny" }>;

/** Nothing in common use; frameworks and some APIs take the method of a POST from them. */
const METHOD_FIELDS = ["x-http-method-override", "x-http-method", "x-method-override"];
/** Some servers route by these instead of the request line. */
const PATH_FIELDS = ["x-original-url", "x-rewrite-url"];

/** Each multiplies the work of deciding; nobody needs more than one. */
const NAMING_FIELDS_MAX = 4;

/** true = more fields name another method or path than anyone needs */
export function namesTooMany(rawHeaders: readonly string[]): boolean {
  const names = [...METHOD_FIELDS, ...PATH_FIELDS];
  return names.reduce((sum, name) => sum + fieldCount(rawHeaders, name), 0) > NAMING_FIELDS_MAX;
}

/** Permitted is what is permitted by every method; only what all of them may use is placed. */
export function judge(route: Route, received: Asked & Pick<Received, "target">): Decision {
  const targets = [received.target, ...otherTargets(received)];
  const methods = [received.method, ...otherMethods(received)];
  const decisions = targets.flatMap((target) => methods.map((method) => decide(route, { method, target })));
  return decisions.reduce(both);
}

/**
 * Blocks and limits hold for the path that leaves too, or the template `/bot{value}` would lead around a block of
 * `/bot*`. What is allowed follows from the path that was asked for. null = no such path, or nothing to add.
 */
export function judgePlaced(
  route: Route,
  received: Asked & Pick<Received, "target">,
  { path }: Pick<Outgoing, "path">,
): Decision | null {
  if (path === received.target.path) return null;
  const { method, request } = received;
  const decision = judge(route, { method, request, target: readTarget(path) });
  return isDefaultDeny(decision) ? null : decision;
}

/** A value may hold what no client may write. */
function readTarget(path: string): Target {
  return parseTarget(path) ?? { path, query: "", readings: [path] };
}

function isDefaultDeny(decision: Decision): boolean {
  return decision.effect === "deny" && decision.code === "blocked_by_default_policy";
}

function otherTargets({ request }: Asked): Target[] {
  const paths = PATH_FIELDS.flatMap((name) => fieldValues(request.rawHeaders, name));
  return [...new Set(paths)].map((path) => readTarget(path));
}

function otherMethods({ method, request }: Asked): string[] {
  const named = METHOD_FIELDS.flatMap((name) => fieldValues(request.rawHeaders, name));
  const others = new Set(named.map((value) => value.trim().toUpperCase()));
  return [...others].filter((other) => other !== method);
}

function both(one: Decision, other: Decision): Decision {
  if (one.effect === "deny" || other.effect === "deny") return denyOf(one, other);
  return {
    ...one,
    limits: [...new Set([...one.limits, ...other.limits])],
    credentials: one.credentials.filter((credential) => other.credentials.includes(credential)),
  };
}

function denyOf(one: Decision, other: Decision): Deny {
  // A block holds whatever else is said, so it is the one that is told.
  return (one.effect === "deny" && (other.effect === "permit" || !isDefaultDeny(one)) ? one : other) as Deny;
}
