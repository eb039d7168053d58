import { array, assert, constantFrom, property } from "fast-check";
import { describe, expect, test } from "vitest";
import { aCredential } from "../store/testing.ts";
import { acceptValue } from "./new-value.ts";

const inHeader = aCredential();
const inQuery = aCredential({ injections: [{ paramName: "key", paramFormat: "{value}" }] });
const apiKey = aCredential({ type: "anthropic", authMode: "api-key", injections: [] });
const oauth = aCredential({ type: "anthropic", authMode: "oauth", injections: [] });

describe("a new value", () => {
  test.each([
    ["is trimmed", inHeader, "  abc \r\n", "abc"],
    ["may have 10,000 characters", inHeader, "x".repeat(10_000), "x".repeat(10_000)],
    ["may hold anything where it is encoded", inQuery, "ä €\n😀", "ä €\n😀"],
    ["is an API key for an API key", apiKey, "sk-ant-api03-abc", "sk-ant-api03-abc"],
    ["is an OAuth token for an OAuth token", oauth, "sk-ant-oat01-abc", "sk-ant-oat01-abc"],
  ])("%s", (_case, credential, text, value) => {
    expect(acceptValue(credential, text).reveal()).toBe(value);
  });

  test.each([
    ["is empty", inHeader, " \n", "must not be empty"],
    ["has 10,001 characters", inHeader, "x".repeat(10_001), "at most 10000 characters"],
    ["has a line break in a header", inHeader, "VALUE\r\nx: 1", "is placed in a header"],
    ["has a bare line feed in a header", inHeader, "VALUE\nx", "is placed in a header"],
    ["has a NUL in a header", inHeader, "VALUE\0x", "is placed in a header"],
    ["has characters beyond Latin-1 in a header", inHeader, "VALUE€", "is placed in a header"],
    ["is no well-formed Unicode", inQuery, "VALUE\ud800", "well-formed Unicode"],
    ["is an OAuth token for an API key", apiKey, "sk-ant-oat01-VALUE", "another kind of key"],
    ["is an API key for an OAuth token", oauth, "sk-ant-api03-VALUE", "another kind of key"],
  ])("is refused without being quoted when it %s", (_case, credential, text, why) => {
    expect(() => acceptValue(credential, text)).toThrow(why);
    expect(() => acceptValue(credential, text)).not.toThrow("VALUE");
  });

  test("is accepted for a header exactly when nothing in it could end the field", () => {
    const character = constantFrom(
      "a",
      "Z",
      " ",
      "\t",
      "é",
      "ÿ",
      "\r",
      "\n",
      "\0",
      "\x1f",
      "\x7f",
      "Ā",
      "€",
      "😀",
    );
    assert(
      property(array(character, { minLength: 1, maxLength: 8 }), (characters) => {
        const text = characters.join("");
        const isPlaceable = /^[\t\x20-\x7e\x80-\xff]+$/.test(text.trim());
        const accept = () => acceptValue(inHeader, text).reveal();
        if (isPlaceable) expect(accept()).toBe(text.trim());
        else expect(accept).toThrow("value");
      }),
    );
  });
});
