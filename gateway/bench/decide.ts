// decide() alone, in this process: what a call costs when there are few rules and when there are many.
import type { Rule } from "../src/model.ts";
import type { DecisionRequest } from "../src/policy/contract.ts";
import { decide } from "../src/policy/decide.ts";
import { compileSnapshot } from "../src/policy/snapshot.ts";
import { median } from "./statistics.ts";

export interface DecideFigure {
  readonly situation: string;
  readonly rules: number;
  /** ns a decision */
  readonly ns: number;
}

const AGENT = "agent-1";
const HOST = "api.bench.test";
const CALLS = 20_000;
const REPEATS = 15;
const ROUNDS_WARM = 5;

export function measureDecide(): DecideFigure[] {
  const cases = [
    { situation: "10 rules on one host", rules: rulesOn(10, () => HOST) },
    { situation: "10,000 rules, 10 a host", rules: rulesOn(10_000, (n) => hostOf(Math.floor(n / 10))) },
    { situation: "10,000 rules on one host", rules: rulesOn(10_000, () => HOST) },
  ];
  const prepared = cases.map(({ situation, rules }) => ({
    situation,
    rules,
    figures: [] as number[],
    call: prepare(rules),
  }));
  for (let n = 0; n < ROUNDS_WARM + REPEATS; n += 1) {
    for (const { figures, call } of prepared) {
      const ns = time(call);
      if (n >= ROUNDS_WARM) figures.push(ns);
    }
  }
  return prepared.map(({ situation, rules, figures }) => ({
    situation,
    rules: rules.length,
    ns: median(figures),
  }));
}

function prepare(rules: readonly Rule[]): (n: number) => unknown {
  const snapshot = compileSnapshot({
    revision: 1,
    agents: [
      {
        id: AGENT,
        name: AGENT,
        identifier: AGENT,
        isDefault: true,
        secretMode: "all",
        defaultAction: "allow",
        createdBy: null,
        secretIds: [],
        createdAt: 0,
      },
    ],
    tokens: [],
    rules,
    credentials: [],
    defaultAction: "allow",
  });
  // The data plane asks for the route once a tunnel.
  const route = snapshot.route(AGENT, { host: HOST, port: 443, kind: "name" });
  return (n) => decide(route, requests[n % requests.length] as DecisionRequest);
}

function time(call: (n: number) => unknown): number {
  let kept: unknown;
  const startedAt = process.hrtime.bigint();
  for (let n = 0; n < CALLS; n += 1) kept = call(n);
  const ns = Number(process.hrtime.bigint() - startedAt) / CALLS;
  if (kept === undefined) throw new Error("nothing was decided");
  return ns;
}

const requests: readonly DecisionRequest[] = [
  request("GET", "/v1/items/17"),
  request("POST", "/v1/messages"),
  request("GET", "/v1/group4/items/9"),
  request("DELETE", "/v1/group7/items/1"),
];

function request(method: string, path: string): DecisionRequest {
  return { method, target: { path, query: "", readings: [path] } };
}

function rulesOn(count: number, hostOf: (n: number) => string): Rule[] {
  return Array.from({ length: count }, (_, n) => ({
    id: `rule-${n}`,
    name: `rule ${n}`,
    hostPattern: hostOf(n),
    pathPattern: n % 2 === 0 ? `/v1/group${n}/*` : `/v1/group${n}/*/part`,
    methods: n % 3 === 0 ? ["DELETE"] : null,
    action: n % 5 === 0 ? "block" : "allow",
    enabled: true,
    agentId: n % 7 === 0 ? AGENT : null,
    rateLimit: null,
    createdAt: n,
  }));
}

function hostOf(n: number): string {
  return n === 0 ? HOST : `host${n}.bench.test`;
}
