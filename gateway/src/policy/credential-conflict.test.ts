import { describe, expect, test } from "vitest";
import type { Credential } from "../model.ts";
import { findConflict, slotsOf } from "./credential-conflict.ts";

const credential = (change: Partial<Credential> = {}): Credential => ({
  id: "candidate",
  name: "Candidate",
  type: "generic",
  authMode: null,
  hostPattern: "api.example.com",
  pathPattern: null,
  methods: null,
  injections: [{ headerName: "X-Key", valueFormat: "{value}" }],
  envName: null,
  rotation: null,
  rotatedAt: null,
  issuesTokens: null,
  issued: null,
  createdAt: 0,
  ...change,
});

describe("the slots of a credential", () => {
  test.each([
    [
      "a header, in lower case",
      { injections: [{ headerName: "X-Key", valueFormat: "{value}" }] },
      ["header:x-key"],
    ],
    ["basic authentication", { injections: [{ basic: { username: "u" } }] }, ["header:authorization"]],
    ["a parameter", { injections: [{ paramName: "Key", paramFormat: "{value}" }] }, ["query:Key"]],
    ["a path template", { injections: [{ pathTemplate: "/bot{value}" }] }, ["path"]],
    ["a path expression", { injections: [{ pathRegex: "a", pathReplacement: "{value}" }] }, ["path"]],
    ["a fake key", { injections: [{ placeholder: ["header"] }] }, []],
    ["an Anthropic key", { type: "anthropic", authMode: "api-key", injections: [] }, ["header:x-api-key"]],
    [
      "an Anthropic OAuth token",
      { type: "anthropic", authMode: "oauth", injections: [] },
      ["header:authorization"],
    ],
    ["an OpenAI key", { type: "openai", injections: [] }, ["header:authorization"]],
    ["an OpenAI key with a fake one", { type: "openai", injections: [{ placeholder: ["header"] }] }, []],
    [
      "several",
      { injections: [{ basic: { username: "u" } }, { paramName: "k", paramFormat: "{value}" }] },
      ["header:authorization", "query:k"],
    ],
  ] as [string, Partial<Credential>, string[]][])("%s", (_, change, slots) => {
    expect(slotsOf(credential(change))).toEqual(slots);
  });
});

describe("two credentials", () => {
  const basic = { injections: [{ basic: { username: "u" } }] };
  const authorization = { injections: [{ headerName: "AUTHORIZATION", valueFormat: "Bearer {value}" }] };

  test.each([
    ["conflict in the same slot of the same requests", {}, {}, true],
    [
      "do not in another slot",
      {},
      { injections: [{ headerName: "x-other", valueFormat: "{value}" }] },
      false,
    ],
    ["conflict when basic meets an authorization header", basic, authorization, true],
    [
      "do not when both swap fake keys",
      { injections: [{ placeholder: ["header"] }] },
      { injections: [{ placeholder: ["header"] }] },
      false,
    ],
    ["do not when one swaps a fake key", {}, { injections: [{ placeholder: ["header"] }] }, false],
    ["conflict on a host in other letters", { hostPattern: "API.example.com" }, {}, true],
    ["do not on another host", { hostPattern: "b.example.com" }, {}, false],
    ["do not when one is a wildcard: the exact one wins", { hostPattern: "*.example.com" }, {}, false],
    ["conflict when one writes the default port", { hostPattern: "api.example.com:443" }, {}, true],
    ["do not on another port", { hostPattern: "api.example.com:8443" }, {}, false],
    ["conflict when one writes every path out", { pathPattern: "/*" }, {}, true],
    ["do not on another path", { pathPattern: "/v1/*" }, { pathPattern: "/v2/*" }, false],
    ["conflict on one path, spelled differently", { pathPattern: "/%761" }, { pathPattern: "/v1" }, true],
    ["conflict when one has every method", { methods: ["GET"] }, {}, true],
    ["conflict when they share a method", { methods: ["GET", "POST"] }, { methods: ["POST"] }, true],
    ["do not when they share none", { methods: ["GET"] }, { methods: ["POST"] }, false],
  ] as [string, Partial<Credential>, Partial<Credential>, boolean][])("%s", (_, a, b, conflict) => {
    const existing = credential({ id: "existing", name: "Existing", ...b });
    expect(findConflict(credential(a), [existing])).toBe(conflict ? existing : null);
    expect(findConflict(existing, [credential(a)])?.id ?? null).toBe(conflict ? "candidate" : null);
  });

  test("a credential is no conflict with itself when it is changed", () => {
    expect(findConflict(credential({ name: "New name" }), [credential()])).toBeNull();
  });
});
