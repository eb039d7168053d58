import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { limits } from "../limits.ts";
import { createBackoff } from "./backoff.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const backoff = () => createBackoff(() => Date.now());
const failOften = (one: ReturnType<typeof backoff>, source: string, times: number) => {
  for (let n = 0; n < times; n += 1) one.fail(source, () => undefined);
};

describe("a source that presents wrong tokens", () => {
  test.each([
    [1, 0],
    [limits.proxyAuthFailuresFree, 0],
    [limits.proxyAuthFailuresFree + 1, limits.proxyAuthFailureDelayMs],
    [limits.proxyAuthFailuresFree + 3, limits.proxyAuthFailureDelayMs * 4],
    [limits.proxyAuthFailuresFree + 40, limits.proxyAuthFailureDelayMsMax],
  ])("is answered, at its failure number %i, after %i ms", (failures, ms) => {
    const one = backoff();
    failOften(one, "192.0.2.1", failures - 1);
    let answered = false;
    one.fail("192.0.2.1", () => (answered = true));
    if (ms > 0) {
      vi.advanceTimersByTime(ms - 1);
      expect(answered).toBe(false);
      vi.advanceTimersByTime(1);
    }
    expect(answered).toBe(true);
  });

  test("does not delay another source", () => {
    const one = backoff();
    failOften(one, "192.0.2.1", 50);
    let answered = false;
    one.fail("192.0.2.2", () => (answered = true));
    expect(answered).toBe(true);
  });

  test("starts anew after a while without a failure", () => {
    const one = backoff();
    failOften(one, "192.0.2.1", 50);
    vi.advanceTimersByTime(limits.proxyAuthFailureForgottenMs);
    let answered = false;
    one.fail("192.0.2.1", () => (answered = true));
    expect(answered).toBe(true);
  });
});

describe("many who guess at once", () => {
  test("hold no more answers than the bound; further ones come at once", () => {
    const one = backoff();
    failOften(one, "192.0.2.1", limits.proxyAuthFailuresFree + limits.proxyAuthDelaysMax + 100);
    expect(one.held).toBe(limits.proxyAuthDelaysMax);
    vi.advanceTimersByTime(limits.proxyAuthFailureDelayMsMax);
    expect(one.held).toBe(0);
  });

  test("are remembered up to the bound, the latest ones", () => {
    const one = backoff();
    for (let n = 0; n < limits.proxyAuthFailuresSourcesMax + 50; n += 1) failOften(one, `source ${n}`, 1);
    expect(one.sources).toBe(limits.proxyAuthFailuresSourcesMax);
  });
});
