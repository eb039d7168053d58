// Rules by host pattern and agent. Trees are built when a host is first asked for.
import type { Rule } from "../model.ts";
import type { Authority } from "../target/contract.ts";
import { entryOf, getOrCreate, type HostIndex, lookUp } from "./host-index.ts";
import { type HostPattern, parseHostPattern } from "./match-host.ts";
import { type FiledRule, type RuleNode, ruleTree } from "./rule-tree.ts";

const EVERY_AGENT = "";

interface Bucket {
  readonly rules: FiledRule[];
  tree: RuleNode | null;
}

export type RuleIndex = HostIndex<Map<string, Bucket>>;

/** Where a rule goes whose stored pattern can't be read: a block or a limit must hold in doubt. */
const EVERY_HOST: HostPattern = { kind: "any", host: "", port: null, pattern: "*" };

export function ruleIndex(rules: readonly Rule[]): RuleIndex {
  const index: RuleIndex = new Map();
  for (const rule of rules) {
    if (!rule.enabled) continue;
    const pattern = parseHostPattern(rule.hostPattern);
    const byAgent = entryOf(index, pattern ?? EVERY_HOST, () => new Map<string, Bucket>());
    const bucket = getOrCreate(byAgent, rule.agentId ?? EVERY_AGENT, () => ({ rules: [], tree: null }));
    bucket.rules.push({ rule, isReadable: pattern !== null });
  }
  return index;
}

export function rulesFor(index: RuleIndex, agentId: string, authority: Authority): RuleNode[] {
  const trees: RuleNode[] = [];
  for (const byAgent of lookUp(index, authority)) {
    for (const key of [EVERY_AGENT, agentId]) {
      const bucket = byAgent.get(key);
      if (bucket !== undefined) trees.push((bucket.tree ??= ruleTree(bucket.rules)));
    }
  }
  return trees;
}
