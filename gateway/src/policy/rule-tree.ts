// The rules of one host pattern, filed by the literal segments of their paths, so that thousands of rules on one
// host cost a request only those that its path can reach.
import type { Rule } from "../model.ts";
import { compilePath, matchesEvery, matchesSome, type PathPattern } from "./match-path.ts";

export interface CompiledRule {
  readonly rule: Rule;
  /** null = a stored pattern can't be read: the rule blocks and limits everything, and permits nothing */
  readonly path: PathPattern | null;
}

export interface RuleNode {
  readonly rules: CompiledRule[];
  children: Map<string, RuleNode> | null;
}

export interface FiledRule {
  readonly rule: Rule;
  /** false = its host pattern can't be read, so its path is not asked either */
  readonly isReadable: boolean;
}

export function ruleTree(rules: readonly FiledRule[]): RuleNode {
  const root = emptyNode();
  for (const { rule, isReadable } of rules) {
    const path = isReadable ? compilePath(rule.pathPattern) : null;
    for (const prefix of path?.literalPrefixes ?? [[]]) nodeAt(root, prefix).rules.push({ rule, path });
  }
  return root;
}

/** Every rule whose literal segments the path starts with; some may come twice. */
export function visitRules(root: RuleNode, path: string, visit: (rule: CompiledRule) => void): void {
  let node: RuleNode | undefined = root;
  let start = 1;
  while (node !== undefined) {
    for (const rule of node.rules) visit(rule);
    if (node.children === null || start > path.length) return;
    const slash = path.indexOf("/", start);
    const end = slash === -1 ? path.length : slash;
    node = node.children.get(path.slice(start, end));
    start = end + 1;
  }
}

export function reaches({ path }: CompiledRule, readings: readonly string[]): boolean {
  return path === null || matchesSome(path, readings);
}

export function covers({ path }: CompiledRule, readings: readonly string[]): boolean {
  return path !== null && matchesEvery(path, readings);
}

function nodeAt(root: RuleNode, segments: readonly string[]): RuleNode {
  let node = root;
  for (const segment of segments) {
    node.children ??= new Map();
    const child = node.children.get(segment) ?? emptyNode();
    node.children.set(segment, child);
    node = child;
  }
  return node;
}

function emptyNode(): RuleNode {
  return { rules: [], children: null };
}
