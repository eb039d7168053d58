import { randomBytes, randomUUID } from "node:crypto";
import * as fc from "fast-check";
import { ready } from "libsodium-wrappers";
import { beforeAll, describe, expect, test } from "vitest";
import { associatedData } from "./aead.ts";
import type { SealContext } from "./contract.ts";
import { type DataKey, openWith, sealWith, sealedKeyId } from "./seal.ts";
import { Secret } from "./secret.ts";

beforeAll(() => ready);

const key: DataKey = { id: randomUUID(), bytes: randomBytes(32) };
const context: SealContext = { table: "secrets", rowId: "row-1", purpose: "secret-value" };
const sealed = (text: string) => sealWith(key, context, Secret.of(text));
const refused = expect.objectContaining({ code: "cannot_open" });

describe("a sealed value", () => {
  test("opens at its place, whatever its bytes are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 10_000 }), (bytes) => {
        const opened = openWith(key, context, sealWith(key, context, Secret.of(bytes)));
        expect(opened.revealBytes()).toEqual(Buffer.from(bytes));
      }),
    );
  });

  test("names the key that sealed it", () => {
    expect(sealedKeyId(sealed("x"))).toBe(key.id);
  });

  test("differs each time, and is 57 bytes longer than its plaintext", () => {
    expect(sealed("same")).not.toEqual(sealed("same"));
    expect(sealed("same")).toHaveLength(4 + 57);
  });

  test.each<[string, SealContext]>([
    ["another row", { ...context, rowId: "row-2" }],
    ["another table", { ...context, table: "agents" }],
    ["another purpose", { ...context, purpose: "agent-token" }],
  ])("does not open at %s", (_, elsewhere) => {
    expect(() => openWith(key, elsewhere, sealed("x"))).toThrow(refused);
    expect(openWith(key, context, sealed("x")).reveal()).toBe("x");
  });

  test.each<[string, DataKey]>([
    ["with other bytes", { ...key, bytes: randomBytes(32) }],
    ["with another id", { ...key, id: randomUUID() }],
  ])("does not open with a key %s", (_, other) => {
    expect(() => openWith(other, context, sealed("x"))).toThrow(refused);
  });

  test("opens to itself or not at all when any bit is changed", () => {
    const box = sealed("value");
    for (let bit = 17 * 8; bit < box.length * 8; bit += 1) {
      const changed = Buffer.from(box);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => openWith(key, context, changed)).toThrow(refused);
    }
  });

  test("does not open at any shorter length", () => {
    const box = sealed("value");
    for (let length = 0; length < box.length; length += 1) {
      expect(() => openWith(key, context, box.subarray(0, length))).toThrow(refused);
    }
  });

  test("has no key id in another version or when it is too short", () => {
    const box = Buffer.from(sealed(""));
    expect(sealedKeyId(box.subarray(0, -1))).toBeUndefined();
    box[0] = 2;
    expect(sealedKeyId(box)).toBeUndefined();
  });

  test("says where it does not open and nothing of what it holds", () => {
    const box = sealed("tell-nobody");
    expect(() => openWith(key, { ...context, rowId: "row-2" }, box)).toThrow(
      "the sealed secret-value of secrets row-2 does not open: it was damaged or moved from another place",
    );
  });
});

describe("associated data", () => {
  test("is different for different lists of parts", () => {
    const parts = fc.array(fc.string({ unit: "binary" }));
    fc.assert(
      fc.property(parts, parts, (a, b) => {
        const isSame = Buffer.compare(associatedData(...a), associatedData(...b)) === 0;
        expect(isSame).toBe(JSON.stringify(a) === JSON.stringify(b));
      }),
    );
  });

  test("refuses text that has no encoding of its own", () => {
    expect(() => associatedData("\ud800")).toThrow(TypeError);
    expect(associatedData("\ud83d\ude00")).toHaveLength(8);
  });
});
