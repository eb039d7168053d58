import { describe, expect, test } from "vitest";
import { connectionOf } from "./open.ts";
import { temporaryStore } from "./testing.ts";

describe("a transaction", () => {
  test("keeps everything when it returns", async () => {
    const store = await temporaryStore();
    const result = store.transaction(() => {
      store.meta.set("a", "1");
      store.meta.set("b", "2");
      return "done";
    });
    expect([result, store.meta.get("a"), store.meta.get("b")]).toEqual(["done", "1", "2"]);
  });

  test("keeps nothing when it throws", async () => {
    const store = await temporaryStore();
    const work = () =>
      store.transaction(() => {
        store.meta.set("a", "1");
        throw new Error("stop");
      });
    expect(work).toThrow("stop");
    expect(store.meta.get("a")).toBeUndefined();
    store.meta.set("b", "works again");
    expect(store.meta.get("b")).toBe("works again");
  });

  test("joins the outer one", async () => {
    const store = await temporaryStore();
    const work = () =>
      store.transaction(() => {
        store.transaction(() => store.meta.set("inner", "1"));
        throw new Error("stop");
      });
    expect(work).toThrow("stop");
    expect(store.meta.get("inner")).toBeUndefined();
  });

  test("keeps nothing when a nested one threw, even if that was caught", async () => {
    const store = await temporaryStore();
    const work = () =>
      store.transaction(() => {
        store.meta.set("outer", "1");
        try {
          store.transaction(() => {
            throw new Error("inner");
          });
        } catch {
          store.meta.set("after", "1");
        }
      });
    expect(work).toThrow("a nested transaction failed");
    expect([store.meta.get("outer"), store.meta.get("after")]).toEqual([undefined, undefined]);
  });

  test("must not be asynchronous", async () => {
    const store = await temporaryStore();
    const work = () =>
      store.transaction(async () => {
        store.meta.set("a", "1");
        await Promise.resolve();
      });
    expect(work).toThrow("must not be asynchronous");
    expect(store.meta.get("a")).toBeUndefined();
  });

  test("runs what was registered for a rollback, the last first, and only then", async () => {
    const store = await temporaryStore();
    const { transactions } = connectionOf(store);
    const undone: number[] = [];
    store.transaction(() => transactions.onRollback(() => undone.push(0)));
    const work = () =>
      store.transaction(() => {
        transactions.onRollback(() => undone.push(1));
        transactions.onRollback(() => undone.push(2));
        throw new Error("stop");
      });
    expect(work).toThrow("stop");
    expect(undone).toEqual([2, 1]);
  });
});
