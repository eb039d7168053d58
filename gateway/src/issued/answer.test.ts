import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { tokenAnswer, UnreadableTokens } from "./answer.ts";

const JSON_TYPE = "application/json; charset=utf-8";
const FORM_TYPE = "application/x-www-form-urlencoded";

/** kind, value and life of what is found */
const found = (type: string, text: string) =>
  tokenAnswer(type, Buffer.from(text))?.tokens.map((it) => [it.kind, it.value, it.expiresInSeconds]) ?? null;
const replaced = (type: string, text: string, ...placeholders: string[]) =>
  tokenAnswer(type, Buffer.from(text))?.replaced(placeholders).toString();

describe("tokens in JSON", () => {
  test.each<[string, string, unknown]>([
    [
      "all three, with their lives",
      '{"access_token":"A","expires_in":60,"refresh_token":"R","refresh_token_expires_in":"90","id_token":"I"}',
      [
        ["access", "A", 60],
        ["refresh", "R", 90],
        ["id", "I", 60],
      ],
    ],
    ["in camel case", '{"accessToken":"A","expiresIn":1}', [["access", "A", 1]]],
    ["a name with escapes", '{"access\\u005ftoken":"A"}', [["access", "A", null]]],
    ["a value with escapes", '{"access_token":"A\\/\\u0042"}', [["access", "A/B", null]]],
    [
      "in lists and objects, each with its own life",
      '[{"access_token":"A","expires_in":1,"user":{"access_token":"B","expires_in":2}}]',
      [
        ["access", "A", 1],
        ["access", "B", 2],
      ],
    ],
    ["no life: zero", '{"access_token":"A","expires_in":0}', [["access", "A", null]]],
    ["no life: a text", '{"access_token":"A","expires_in":"soon"}', [["access", "A", null]]],
    ["no life: endless", '{"access_token":"A","expires_in":1e99}', [["access", "A", null]]],
    ["none: null", '{"access_token":null}', null],
    ["none: empty", '{"access_token":""}', null],
    ["none: a value that is called so", '{"token_type_hint":"access_token","x":["refresh_token"]}', null],
    ["none: a longer name", '{"my_access_token_count":5}', null],
    ["none at all", "[]", null],
  ])("%s", (_, text, expected) => {
    expect(found(JSON_TYPE, text)).toEqual(expected);
    expect(found("text/plain", text)).toEqual(expected);
  });

  test.each([
    ["what is not JSON", "{access_token:'A'}"],
    ["two texts in a row", '{"access_token":"A"}{}'],
    ["a name twice", '{"access_token":"A","access_token":"B"}'],
    ["another name twice", '{"a":1,"access_token":"A","a":1}'],
    ["a name twice, deep inside", '{"a":[{"b":1,"b":2}]}'],
    ["a number", '{"access_token":1}'],
    ["an object", '{"access_token":{"value":"A"}}'],
    ["a list", '{"access_token":["A"]}'],
    ["a line break", '{"access_token":"A\\nx"}'],
    ["other than ASCII", '{"access_token":"Ä"}'],
    ["more of them than are kept", `[${Array(9).fill(`{"access_token":"A"}`).join()}]`],
  ])("are refused: %s", (_, text) => {
    expect(() => found(JSON_TYPE, text)).toThrow(UnreadableTokens);
  });

  test("are replaced where they stand; large numbers, spaces and order stay", () => {
    const text = '{ "id": 12345678901234567890,\n "access_token" : "A\\"" , "x": {"refresh_token":"R"} }';
    expect(replaced(JSON_TYPE, text, "fake", 'f"2')).toBe(
      '{ "id": 12345678901234567890,\n "access_token" : "fake" , "x": {"refresh_token":"f\\"2"} }',
    );
  });

  test("never stay, whatever stands around them", () => {
    const token = "TOKEN-0123456789";
    const name = fc.constantFrom("access_token", "refreshToken", "ID-TOKEN");
    const around = fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 4 });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(around, name), { minLength: 1, maxLength: 8 }),
        fc.boolean(),
        (list, wide) => {
          const text = JSON.stringify(
            list.map(([more, key]) => ({ ...more, [key]: token })),
            null,
            wide ? 2 : 0,
          );
          const answer = tokenAnswer(JSON_TYPE, Buffer.from(text));
          const fakes = list.map((_, index) => `fake-${index}`);
          expect(answer?.tokens).toHaveLength(list.length);
          const out = answer?.replaced(fakes).toString() ?? "";
          expect(out).not.toContain(token);
          const expected = list.map(([more, key], index) => ({ ...more, [key]: fakes[index] }));
          expect(JSON.parse(out)).toEqual(JSON.parse(JSON.stringify(expected)));
        },
      ),
    );
  });
});

describe("tokens in a form", () => {
  test("are found decoded and replaced encoded, the rest stays", () => {
    const text = "scope=a%2Cb+c&access_token=A%2FB&expires_in=60&&flag";
    expect(found(FORM_TYPE, text)).toEqual([["access", "A/B", 60]]);
    expect(replaced(FORM_TYPE, text, "f/1")).toBe("scope=a%2Cb+c&access_token=f%2F1&expires_in=60&&flag");
  });

  test.each([
    ["a name twice", "access_token=A&access_token=B"],
    ["a name twice, once encoded", "access_token=A&access%5Ftoken=B"],
    ["what can't be decoded", "access_token=%ff"],
  ])("are refused: %s", (_, text) => {
    expect(() => found(FORM_TYPE, text)).toThrow(UnreadableTokens);
  });
});

describe("a body that is neither", () => {
  test.each([
    ["text", "text/plain", Buffer.from("signed in")],
    ["empty", JSON_TYPE, Buffer.from("")],
    ["an image", "image/png", Buffer.from([0x89, 0x50, 0xff])],
  ])("has no tokens: %s", (_, type, body) => {
    expect(tokenAnswer(type, body)).toBeNull();
  });

  test.each([
    ["a script", "text/html", Buffer.from("<script>accessToken='A'</script>")],
    ["a form that is called text", "text/plain", Buffer.from("access_token=A")],
    ["JSON behind a prefix", "text/plain", Buffer.from(')]}\'\n{"access_token":"A"}')],
    ["UTF-16", JSON_TYPE, Buffer.from('{"access_token":"A"}', "utf16le")],
    ["not UTF-8", JSON_TYPE, Buffer.from('{"id_token":"\xff"}', "latin1")],
  ])("is refused when it names one: %s", (_, type, body) => {
    expect(() => tokenAnswer(type, body)).toThrow(UnreadableTokens);
  });
});
