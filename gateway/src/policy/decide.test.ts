import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Agent, Credential, DefaultAction, Rule } from "../model.ts";
import { parseAuthority } from "../target/authority.ts";
import { parseTarget } from "../target/path.ts";
import { AGENT_ID, cases, CREATED_AT, ruleOf } from "./cases.ts";
import type { Decision } from "./contract.ts";
import { decide } from "./decide.ts";
import { matchesHost, parseHostPattern } from "./match-host.ts";
import { compilePath, matchesEvery, matchesSome } from "./match-path.ts";
import { compileSnapshot } from "./snapshot.ts";

const agent: Agent = {
  id: AGENT_ID,
  name: "Agent",
  identifier: "agent",
  isDefault: false,
  secretMode: "all",
  defaultAction: null,
  createdBy: null,
  secretIds: [],
  createdAt: CREATED_AT,
};

interface Setting {
  readonly rules?: readonly Rule[];
  readonly credentials?: readonly Credential[];
  readonly defaultAction?: DefaultAction;
}

/** null = the request was refused before it could be decided on */
function decideOn(
  request: string,
  { rules = [], credentials = [], defaultAction = "allow" }: Setting,
): Decision | null {
  const [, method = "", host = "", raw = ""] = /^(\S+) https:\/\/([^/]+)(.*)$/s.exec(request) ?? [];
  const authority = parseAuthority(host, 443);
  const target = parseTarget(raw);
  if (authority === null || target === null) return null;
  const snapshot = compileSnapshot({
    revision: 1,
    agents: [agent],
    tokens: [],
    rules,
    credentials,
    defaultAction,
  });
  return decide(snapshot.route(AGENT_ID, authority), { method, target });
}

const permits = (decision: Decision | null) => decision?.effect === "permit";

describe.each(["allow", "deny"] as const)("under a default of %s", (defaultAction) => {
  describe.each(["permit", "deny"] as const)("the call gets a %s when", (effect) => {
    const table = cases.filter((row) => row.defaultAction === defaultAction && row.effect === effect);

    test.each(table)("$situation: $request", ({ rules, request, rule, limits }) => {
      const decision = decideOn(request, { rules, defaultAction });
      expect(decision?.effect).toBe(effect);
      expect(decision?.rule?.id ?? null).toBe(rule);
      if (decision?.effect === "permit") expect(decision.limits.map(({ id }) => id)).toEqual(limits ?? []);
      else expect(decision?.code).toBe(rule === null ? "blocked_by_default_policy" : "blocked_by_policy");
    });
  });
});

describe("credentials", () => {
  const credential = (id: string, change: Partial<Credential> = {}): Credential => ({
    id,
    name: id,
    type: "generic",
    authMode: null,
    hostPattern: "api.example.com",
    pathPattern: null,
    methods: null,
    injections: [],
    envName: null,
    rotation: null,
    rotatedAt: null,
    issuesTokens: null,
    issued: null,
    createdAt: CREATED_AT,
    ...change,
  });
  const placed = (request: string, credentials: readonly Credential[]) => {
    const decision = decideOn(request, { credentials });
    return decision?.effect === "permit" ? decision.credentials.map(({ id }) => id) : null;
  };

  test.each([
    ["on its host", {}, "GET https://api.example.com/", true],
    ["not on another host", {}, "GET https://example.com/", false],
    ["not on another port", {}, "GET https://api.example.com:8443/", false],
    [
      "on the port it names",
      { hostPattern: "api.example.com:8443" },
      "GET https://api.example.com:8443/",
      true,
    ],
    ["and not on 443 then", { hostPattern: "api.example.com:8443" }, "GET https://api.example.com/", false],
    ["below its wildcard", { hostPattern: "*.example.com" }, "GET https://a.b.example.com/", true],
    ["not on the apex of its wildcard", { hostPattern: "*.example.com" }, "GET https://example.com/", false],
    [
      "not on a name that only ends alike",
      { hostPattern: "*.example.com" },
      "GET https://xexample.com/",
      false,
    ],
    ["never on every host", { hostPattern: "*" }, "GET https://api.example.com/", false],
    ["on an address it names", { hostPattern: "203.0.113.7:8443" }, "GET https://203.0.113.7:8443/", true],
    [
      "on an IPv6 address, however it is written",
      { hostPattern: "[::1]:443" },
      "GET https://[0:0::1]/",
      true,
    ],
    ["below its path", { pathPattern: "/v1/*" }, "GET https://api.example.com/v1/x", true],
    ["not beside its path", { pathPattern: "/v1/*" }, "GET https://api.example.com/v2", false],
    [
      "when every reading is below its path",
      { pathPattern: "/v1/*" },
      "GET https://api.example.com/v1/a%2Fb",
      true,
    ],
    [
      "not when one reading is elsewhere",
      { pathPattern: "/v1/*" },
      "GET https://api.example.com/v1/..%2Fx",
      false,
    ],
    ["for its methods", { methods: ["GET"] }, "GET https://api.example.com/", true],
    ["not for others", { methods: ["GET"] }, "POST https://api.example.com/", false],
    ["not for HEAD when it names GET", { methods: ["GET"] }, "HEAD https://api.example.com/", false],
  ] as [string, Partial<Credential>, string, boolean][])(
    "a credential is placed %s",
    (_, change, request, expected) => {
      expect(placed(request, [credential("c", change)])).toEqual(expected ? ["c"] : []);
    },
  );

  test("the most specific comes last: wildcards by length, then the exact host, then the longer path, then the younger", () => {
    const ordered = [
      credential("1", { hostPattern: "*.example.com", pathPattern: "/v1/items/*" }),
      credential("2", { hostPattern: "*.api.example.com" }),
      credential("3", { hostPattern: "a.api.example.com" }),
      credential("4", { hostPattern: "a.api.example.com", pathPattern: "/v1/*" }),
      credential("5", { hostPattern: "a.api.example.com", pathPattern: "/v1/*", createdAt: CREATED_AT + 1 }),
      credential("6", { hostPattern: "a.api.example.com", pathPattern: "/v1/items/*" }),
    ];
    fc.assert(
      fc.property(fc.shuffledSubarray(ordered, { minLength: 6 }), (shuffled) => {
        expect(placed("GET https://a.api.example.com/v1/items/1", shuffled)).toEqual([
          "1",
          "2",
          "3",
          "4",
          "5",
          "6",
        ]);
      }),
    );
  });
});

const pathPatterns = fc.constantFrom(
  null,
  "/a",
  "/a/*",
  "/a*",
  "/a/*/b",
  "/a/*/*",
  "/b",
  "/a%2Fb",
  "/a/b/",
  "/",
  "/a//b",
  "/*/b",
);
const someRule: fc.Arbitrary<Rule> = fc
  .record({
    id: fc.uuid(),
    action: fc.constantFrom("block" as const, "allow" as const, "rate_limit" as const),
    hostPattern: fc.constantFrom(
      "api.example.com",
      "*.example.com",
      "*",
      "api.example.com:8443",
      "b.example.com",
    ),
    pathPattern: pathPatterns,
    methods: fc.constantFrom(null, ["GET" as const], ["POST" as const, "HEAD" as const]),
    enabled: fc.boolean(),
    agentId: fc.constantFrom(null, AGENT_ID, "agent-2"),
    createdAt: fc.integer({ min: CREATED_AT, max: CREATED_AT + 3 }),
  })
  .map(({ id, action, methods, ...rest }) => ({ ...ruleOf(id, action, rest), methods }));
const someRules = fc.array(someRule, { maxLength: 8 });
const someDefault = fc.constantFrom("allow" as const, "deny" as const);
const somePath = fc.array(fc.constantFrom("/", "a", "b", "%2F", "%2e", "/..", "%252F", ";x", "\\"), {
  maxLength: 7,
});
const someRequest = fc
  .tuple(fc.constantFrom("GET", "HEAD", "POST"), fc.constantFrom("", ":8443"), somePath)
  .map(([method, port, path]) => `${method} https://api.example.com${port}/${path.join("")}`);

describe("whatever the rules are", () => {
  test("one more block never permits more", () => {
    fc.assert(
      fc.property(someRules, someRule, someRequest, someDefault, (rules, rule, request, defaultAction) => {
        const block: Rule = { ...rule, action: "block", rateLimit: null };
        if (!permits(decideOn(request, { rules, defaultAction }))) {
          expect(permits(decideOn(request, { rules: [...rules, block], defaultAction }))).toBe(false);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test("one allow less never permits more", () => {
    fc.assert(
      fc.property(someRules, someRequest, someDefault, (rules, request, defaultAction) => {
        const fewer = rules.filter(
          (rule, at) => rule.action !== "allow" || rules.findIndex((r) => r.action === "allow") !== at,
        );
        if (!permits(decideOn(request, { rules, defaultAction }))) {
          expect(permits(decideOn(request, { rules: fewer, defaultAction }))).toBe(false);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test("their order never matters", () => {
    const shuffled = someRules.chain((rules) =>
      fc.tuple(fc.constant(rules), fc.shuffledSubarray(rules, { minLength: rules.length })),
    );
    fc.assert(
      fc.property(shuffled, someRequest, someDefault, ([rules, others], request, defaultAction) => {
        expect(decideOn(request, { rules: others, defaultAction })).toEqual(
          decideOn(request, { rules, defaultAction }),
        );
      }),
      { numRuns: 2000 },
    );
  });

  test("the index finds what asking every rule finds", () => {
    fc.assert(
      fc.property(someRules, someRequest, someDefault, (rules, request, defaultAction) => {
        const decision = decideOn(request, { rules, defaultAction });
        if (decision !== null) expect(decision.effect).toBe(effectByAskingAll(rules, request, defaultAction));
      }),
      { numRuns: 3000 },
    );
  });
});

function effectByAskingAll(
  rules: readonly Rule[],
  request: string,
  defaultAction: DefaultAction,
): Decision["effect"] {
  const [, method = "", host = "", raw = ""] = /^(\S+) https:\/\/([^/]+)(.*)$/s.exec(request) ?? [];
  const authority = parseAuthority(host, 443);
  const readings = parseTarget(raw)?.readings ?? [];
  const matching = rules.filter((rule) => {
    const pattern = parseHostPattern(rule.hostPattern);
    const path = compilePath(rule.pathPattern);
    if (authority === null || pattern === null || path === null) throw new Error("unreadable");
    const isBlock = rule.action === "block";
    const methods = rule.methods?.includes("GET") && isBlock ? [...rule.methods, "HEAD"] : rule.methods;
    return (
      rule.enabled &&
      (rule.agentId ?? AGENT_ID) === AGENT_ID &&
      matchesHost(pattern, authority, null) &&
      (methods === null || methods.some((named) => named === method)) &&
      (isBlock ? matchesSome(path, readings) : matchesEvery(path, readings))
    );
  });
  if (matching.some(({ action }) => action === "block")) return "deny";
  return matching.length > 0 || defaultAction === "allow" ? "permit" : "deny";
}

describe("every encoding of a path that is blocked", () => {
  const plainSegment = fc.string({
    unit: fc.constantFrom("a", "d", "m", "1", "-", "~", "@", ":"),
    minLength: 1,
    maxLength: 4,
  });
  const plainPath = fc.array(plainSegment, { minLength: 1, maxLength: 3 });
  const separator = fc.constantFrom(
    "/",
    "/",
    "//",
    "/./",
    "/x/../",
    "/%2e/",
    "/x/%2E%2e/",
    "%2F",
    "%2f",
    "\\",
    "%5c",
    "%252f",
    "/x%2F..%2f",
    "/y;z/..;w/",
  );
  const escape = (times: number) => (character: string) => {
    const hex = character.charCodeAt(0).toString(16);
    return `%${"25".repeat(times)}${times % 2 === 0 ? hex : hex.toUpperCase()}`;
  };
  const spelling = (segment: string) =>
    fc
      .array(fc.constantFrom(-1, -1, 0, 1, 2), { minLength: segment.length, maxLength: segment.length })
      .map((depths) =>
        segment
          .split("")
          .map((c, at) => ((depths[at] ?? -1) < 0 ? c : escape(depths[at] ?? 0)(c)))
          .join(""),
      );
  const suffix = fc.constantFrom("", "", ";v=1", "/", "/.", "?q=1", "%3fq", "%23f");

  const pathAndEncoding = plainPath.chain((segments) =>
    fc
      .tuple(
        fc.tuple(...segments.map(spelling)),
        fc.array(separator, { minLength: segments.length, maxLength: segments.length }),
        suffix,
      )
      .map(([spelled, separators, end]) => ({
        path: `/${segments.join("/")}`,
        // an encoded separator can't start a request target
        encoding:
          spelled
            .map((text, at) => `${at === 0 ? separators[0]?.replace(/^[^/].*/, "/") : separators[at]}${text}`)
            .join("") + end,
      })),
  );

  test.each([
    ["exactly", (path: string) => path],
    ["with everything below", (path: string) => `${path}/*`],
    ["by a prefix", (path: string) => `${path}*`],
    ["by its first segment", (path: string) => path.replace(/(?<=^\/[^/]*)(?:\/.*)?$/, "/*")],
  ])("%s is denied or refused", (_, pattern) => {
    fc.assert(
      fc.property(pathAndEncoding, ({ path, encoding }) => {
        const rules = [ruleOf("b", "block", { pathPattern: pattern(path) })];
        expect(permits(decideOn(`GET https://api.example.com${path}`, { rules }))).toBe(false);
        expect(permits(decideOn(`GET https://api.example.com${encoding}`, { rules }))).toBe(false);
      }),
      { numRuns: 3000 },
    );
  });

  test("most encodings are decided on, not merely refused", () => {
    const sample = fc.sample(pathAndEncoding, 500);
    const parsed = sample.filter(({ encoding }) => parseTarget(encoding) !== null);
    expect(parsed.length).toBeGreaterThan(250);
  });
});
