// The policy decision point: block > rate_limit > allow > default. Pure; the data plane, the simulator and the
// dashboard call this one function.
import type { Credential, HttpMethod, Rule } from "../model.ts";
import type { Decision, DecisionRequest, Route } from "./contract.ts";
import { matchesEvery } from "./match-path.ts";
import { type CompiledRule, covers, reaches, visitRules } from "./rule-tree.ts";
import type { CompiledRoute } from "./snapshot.ts";

/** What the rules have to say, in any order they are asked. */
interface Findings {
  block: Rule | null;
  allow: Rule | null;
  readonly limits: Set<Rule>;
  /** the limit that covers every reading: under a default of deny it permits */
  coveringLimit: Rule | null;
}

/** `route` comes from the snapshot that the request is served under. */
export function decide(route: Route, request: DecisionRequest): Decision {
  const compiled = route as CompiledRoute;
  const { block, allow, limits, coveringLimit } = findings(compiled, request);
  if (block !== null) return { effect: "deny", code: "blocked_by_policy", rule: block };
  const rule = allow ?? coveringLimit;
  if (rule === null && route.defaultAction === "deny") {
    return { effect: "deny", code: "blocked_by_default_policy", rule: null };
  }
  return {
    effect: "permit",
    rule,
    limits: [...limits].sort(byCreation),
    credentials: credentialsOf(compiled, request),
  };
}

function findings(route: CompiledRoute, request: DecisionRequest): Findings {
  const found: Findings = { block: null, allow: null, limits: new Set(), coveringLimit: null };
  const visit = (rule: CompiledRule) => consider(found, rule, request);
  for (const tree of route.rules) {
    for (const reading of request.target.readings) visitRules(tree, reading, visit);
  }
  return found;
}

function consider(found: Findings, compiled: CompiledRule, request: DecisionRequest): void {
  const { rule } = compiled;
  if (rule.action === "block") considerBlock(found, compiled, request);
  else if (!names(rule.methods, request.method)) return;
  else if (rule.action === "allow") considerAllow(found, compiled, request);
  else considerLimit(found, compiled, request);
}

function considerBlock(found: Findings, compiled: CompiledRule, { method, target }: DecisionRequest): void {
  if (blocksMethod(compiled.rule.methods, method) && reaches(compiled, target.readings)) {
    found.block = earlier(found.block, compiled.rule);
  }
}

function considerAllow(found: Findings, compiled: CompiledRule, { target }: DecisionRequest): void {
  if (covers(compiled, target.readings)) found.allow = earlier(found.allow, compiled.rule);
}

function considerLimit(found: Findings, compiled: CompiledRule, { target }: DecisionRequest): void {
  const { rule } = compiled;
  if (found.limits.has(rule) || !reaches(compiled, target.readings)) return;
  found.limits.add(rule);
  if (covers(compiled, target.readings)) found.coveringLimit = earlier(found.coveringLimit, rule);
}

/** A method is compared byte for byte (RFC 9110 section 9.1: it is case-sensitive). */
function names(methods: readonly HttpMethod[] | null, method: string): boolean {
  return methods === null || methods.some((named) => named === method);
}

/** HEAD tells of the same resource that GET does, so a block of GET holds for it; case is no way around a block. */
function blocksMethod(methods: readonly HttpMethod[] | null, method: string): boolean {
  const named = method.toUpperCase();
  return names(methods, named) || (named === "HEAD" && names(methods, "GET"));
}

function credentialsOf(route: CompiledRoute, { method, target }: DecisionRequest): Credential[] {
  return route.credentials
    .filter(
      ({ credential, path }) => names(credential.methods, method) && matchesEvery(path, target.readings),
    )
    .map(({ credential }) => credential);
}

function earlier(a: Rule | null, b: Rule): Rule {
  return a !== null && byCreation(a, b) <= 0 ? a : b;
}

/** Creation decides, then the id, so that the order in which rules are listed never does. */
function byCreation(a: Rule, b: Rule): number {
  return a.createdAt - b.createdAt || (a.id < b.id ? -1 : Number(a.id > b.id));
}
