// The decision table, as data: every row that permits is followed by its twin that denies.
import type { DefaultAction, HttpMethod, Rule } from "../model.ts";
import type { Decision } from "./contract.ts";

export const AGENT_ID = "agent-1";
export const CREATED_AT = 1_700_000_000_000;

export interface DecisionCase {
  readonly situation: string;
  readonly defaultAction: DefaultAction;
  readonly rules: readonly Rule[];
  /** `METHOD https://host[:port]/path` */
  readonly request: string;
  readonly effect: Decision["effect"];
  /** id of the rule that the decision names; null = the default */
  readonly rule: string | null;
  readonly limits?: readonly string[];
}

type Change = Partial<Omit<Rule, "methods">> & { readonly methods?: readonly HttpMethod[] };

/** Rules of a case are created in the order of their ids. */
export function ruleOf(id: string, action: Rule["action"], change: Change = {}): Rule {
  return {
    id,
    name: `rule ${id}`,
    hostPattern: "api.example.com",
    pathPattern: null,
    methods: null,
    action,
    enabled: true,
    agentId: null,
    rateLimit: action === "rate_limit" ? { count: 10, window: "minute" } : null,
    createdAt: CREATED_AT,
    ...change,
  };
}

const block = (change?: Change, id = "b") => ruleOf(id, "block", change);
const allow = (change?: Change, id = "a") => ruleOf(id, "allow", change);
const limit = (change?: Change, id = "l") => ruleOf(id, "rate_limit", change);
const encodedSlash = allow({ pathPattern: "/projects/group%2Fproject" });
const readOnly = allow({ methods: ["GET"] });
const wildcard = block({ hostPattern: "*.example.com" });
const port = block({ hostPattern: "api.example.com:8443" });
const mine = allow({ agentId: AGENT_ID });

type Row = [
  situation: string,
  rules: readonly Rule[],
  request: string,
  rule: string | null,
  limits?: readonly string[],
];

const underAllow: { readonly permit: readonly Row[]; readonly deny: readonly Row[] } = {
  permit: [
    ["no rule names the call", [], "GET https://api.example.com/v1", null],
    [
      "a block names another path",
      [block({ pathPattern: "/admin/*" })],
      "GET https://api.example.com/adminx",
      null,
    ],
    ["a block names another method", [block({ methods: ["POST"] })], "GET https://api.example.com/v1", null],
    [
      "a block of HEAD is asked for GET",
      [block({ methods: ["HEAD"] })],
      "GET https://api.example.com/v1",
      null,
    ],
    ["a block names another host", [block()], "GET https://other.example.com/v1", null],
    ["a wildcard block is asked for the apex", [wildcard], "GET https://example.com/", null],
    ["a block names another port", [port], "GET https://api.example.com/", null],
    ["a block names another agent", [block({ agentId: "agent-2" })], "GET https://api.example.com/", null],
    ["a block is switched off", [block({ enabled: false })], "GET https://api.example.com/", null],
    ["an allow rule says so too", [allow()], "GET https://api.example.com/", "a"],
    ["a limit matches", [limit()], "GET https://api.example.com/", "l", ["l"]],
    [
      "a limit matches one reading",
      [limit({ pathPattern: "/a/*" })],
      "GET https://api.example.com/a%2Fb",
      null,
      ["l"],
    ],
    [
      "a block of an encoded path, asked for another",
      [block({ pathPattern: "/a%2Fb" })],
      "GET https://api.example.com/ab",
      null,
    ],
    [
      "a block in the middle, one segment too deep",
      [block({ pathPattern: "/r/*/x" })],
      "GET https://api.example.com/r/a/b/x",
      null,
    ],
  ],
  deny: [
    ["a block names everything on the host", [block()], "GET https://api.example.com/v1", "b"],
    [
      "a block names the path",
      [block({ pathPattern: "/admin/*" })],
      "GET https://api.example.com/admin/x",
      "b",
    ],
    ["a block names the method", [block({ methods: ["POST"] })], "POST https://api.example.com/v1", "b"],
    [
      "a block of GET is asked for HEAD",
      [block({ methods: ["GET"] })],
      "HEAD https://api.example.com/v1",
      "b",
    ],
    [
      "a block is asked in lower case",
      [block({ methods: ["DELETE"] })],
      "delete https://api.example.com/v1",
      "b",
    ],
    ["a block is asked on another port", [block()], "GET https://api.example.com:8443/v1", "b"],
    ["a wildcard block covers deeper names", [wildcard], "GET https://a.b.example.com/", "b"],
    ["a block names the port", [port], "GET https://api.example.com:8443/", "b"],
    ["a block names the agent", [block({ agentId: AGENT_ID })], "GET https://api.example.com/", "b"],
    ["a block for every host", [block({ hostPattern: "*" })], "GET https://203.0.113.7/", "b"],
    ["a block beats a limit and an allow", [allow(), block(), limit()], "GET https://api.example.com/", "b"],
    ["the first block is named", [block({}, "b2"), block({}, "b1")], "GET https://api.example.com/", "b1"],
    [
      "a block matches one reading",
      [block({ pathPattern: "/a/*" })],
      "GET https://api.example.com/a%2Fb",
      "b",
    ],
    [
      "an encoded block, asked in other hex case",
      [block({ pathPattern: "/a%2Fb" })],
      "GET https://api.example.com/a%2fb",
      "b",
    ],
    ["a block in the middle", [block({ pathPattern: "/r/*/x" })], "GET https://api.example.com/r/a/x", "b"],
    [
      "a trailing slash is no way round",
      [block({ pathPattern: "/admin" })],
      "GET https://api.example.com/admin/",
      "b",
    ],
    ["nor is leaving it out", [block({ pathPattern: "/admin/" })], "GET https://api.example.com/admin", "b"],
    [
      "a block that can't be read blocks",
      [block({ pathPattern: "/%00" })],
      "GET https://api.example.com/",
      "b",
    ],
    [
      "and everywhere, when its host can't",
      [block({ hostPattern: "a b" })],
      "GET https://api.example.com/",
      "b",
    ],
  ],
};

const underDeny: typeof underAllow = {
  permit: [
    ["an allow rule names the call", [allow()], "GET https://api.example.com/", "a"],
    ["the first of two is named", [allow({}, "a2"), allow({}, "a1")], "GET https://api.example.com/", "a1"],
    ["an allow names the path", [allow({ pathPattern: "/v1/*" })], "GET https://api.example.com/v1", "a"],
    [
      "an allow covers all readings",
      [allow({ pathPattern: "/v1/*" })],
      "GET https://api.example.com/v1/a%2Fb",
      "a",
    ],
    [
      "an allow is written with an escape",
      [encodedSlash],
      "GET https://api.example.com/projects/group%2fproject",
      "a",
    ],
    ["an allow names the method", [readOnly], "GET https://api.example.com/", "a"],
    ["an allow for this agent", [mine], "GET https://api.example.com/", "a"],
    ["a limit counts as allow", [limit()], "GET https://api.example.com/", "l", ["l"]],
    ["an allow and a limit", [limit(), allow()], "GET https://api.example.com/", "a", ["l"]],
  ],
  deny: [
    ["no rule names the call", [], "GET https://api.example.com/", null],
    ["an allow is switched off", [allow({ enabled: false })], "GET https://api.example.com/", null],
    [
      "an allow names another path",
      [allow({ pathPattern: "/v1/*" })],
      "GET https://api.example.com/v10",
      null,
    ],
    [
      "an allow covers one reading only",
      [allow({ pathPattern: "/v1/*" })],
      "GET https://api.example.com/v1/..%2Fadmin",
      null,
    ],
    [
      "two allows cover one reading each",
      [allow({ pathPattern: "/a%2Fb" }, "a1"), allow({ pathPattern: "/a/b" }, "a2")],
      "GET https://api.example.com/a%252Fb",
      null,
    ],
    [
      "an escape in the allow, none in the call",
      [encodedSlash],
      "GET https://api.example.com/projects/group/project",
      null,
    ],
    ["an allow of GET is asked for HEAD", [readOnly], "HEAD https://api.example.com/", null],
    ["an allow is asked in lower case", [readOnly], "get https://api.example.com/", null],
    ["an allow for another agent", [allow({ agentId: "agent-2" })], "GET https://api.example.com/", null],
    [
      "a limit covers one reading only",
      [limit({ pathPattern: "/v1/*" })],
      "GET https://api.example.com/v1/..%2Fx",
      null,
    ],
    [
      "an exact allow, with a trailing slash",
      [allow({ pathPattern: "/v1" })],
      "GET https://api.example.com/v1/",
      null,
    ],
    ["an allow that can't be read", [allow({ pathPattern: "/%00" })], "GET https://api.example.com/", null],
    [
      "an allow whose host can't be read",
      [allow({ hostPattern: "a b" })],
      "GET https://api.example.com/",
      null,
    ],
    [
      "a limit whose host can't be read",
      [limit({ hostPattern: "a b" })],
      "GET https://api.example.com/",
      null,
    ],
    [
      "a block beats an allow",
      [block({ pathPattern: "/v1" }), allow()],
      "GET https://api.example.com/v1",
      "b",
    ],
  ],
};

function rows(defaultAction: DefaultAction, table: typeof underAllow): DecisionCase[] {
  return (["permit", "deny"] as const).flatMap((effect) =>
    table[effect].map(([situation, rules, request, rule, limits]) => ({
      situation,
      defaultAction,
      rules,
      request,
      effect,
      rule,
      ...(limits === undefined ? {} : { limits }),
    })),
  );
}

export const cases: readonly DecisionCase[] = [...rows("allow", underAllow), ...rows("deny", underDeny)];
