import { assert, constantFrom, double, oneof, property, record, string } from "fast-check";
import { describe, expect, test } from "vitest";
import { body, closeTail, openTail, refusalTail } from "./record.ts";
import { aClosing, anOpening, aRefusal } from "./testing.ts";

const at = "2030-01-01T00:00:00.000Z";
/** lone surrogates, quotes and control characters among them */
const anyText = oneof(
  string({ unit: "binary" }),
  constantFrom('"', "\\", "\u0000", "\ud800", "\u2028", '","type":"open'),
);

describe("the text of a record", () => {
  test("is JSON of exactly its members for any strings", () => {
    const texts = record({
      method: anyText,
      authority: anyText,
      path: anyText,
      agent: anyText,
      rule: anyText,
    });
    assert(
      property(texts, (change) => {
        const opening = { ...anOpening(change), limits: [] };
        expect(JSON.parse(body(1, openTail(at, opening)))).toEqual({ seq: 1, type: "open", at, ...opening });
        const refusal = aRefusal(change);
        expect(JSON.parse(body(2, refusalTail(at, refusal)))).toEqual({
          seq: 2,
          type: "refusal",
          at,
          ...refusal,
        });
      }),
    );
  });

  test("is JSON for any numbers", () => {
    assert(
      property(double(), (totalMs) => {
        const parsed = JSON.parse(body(3, closeTail(at, aClosing({ totalMs })))) as {
          totalMs: number | null;
        };
        expect(parsed.totalMs).toEqual(Number.isFinite(totalMs) ? Number(String(totalMs)) : null);
      }),
    );
  });

  test("is the same bytes after a way through UTF-8", () => {
    assert(
      property(anyText, (path) => {
        const text = body(1, openTail(at, anOpening({ path })));
        expect(Buffer.from(text, "utf8").toString("utf8")).toBe(text);
      }),
    );
  });
});
