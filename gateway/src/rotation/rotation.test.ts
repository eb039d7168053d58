import { describe, expect, test, vi } from "vitest";
import { openAudit } from "../audit/open.ts";
import { createSecretBook } from "../inject/secret-book.ts";
import { NOW } from "../vault/testing.ts";
import { rotationLimits } from "./limits.ts";
import { type Bench, NEW, OLD, bench, dialerTo, originFor, printing, script } from "./testing.ts";

const ok = { ok: true, rotatedAt: expect.any(Number) };
const refused = (message: string) => ({ ok: false, message: expect.stringContaining(message) });

function expectNoValueSaid({ said }: Bench, ...results: unknown[]): void {
  expect(said.join("\n") + JSON.stringify(results)).not.toContain("VALUE");
}

/** A webhook that answers when it is told to. */
async function heldWebhook() {
  const origin = await originFor(["hooks.demo.test"]);
  const waiting: (() => void)[] = [];
  origin.handle((_request, response) => {
    waiting.push(() => response.end(JSON.stringify({ value: NEW })));
  });
  return {
    origin,
    dialer: dialerTo({ "hooks.demo.test": origin }),
    release: () => waiting.splice(0).forEach((answer) => answer()),
    url: "https://hooks.demo.test/renew",
  };
}

describe("a secret with a command", () => {
  test("gets the value that the command prints", async () => {
    const it = await bench();
    it.add({ rotation: { command: printing(`\n${NEW}\n`) } });
    it.clock.now += 5000;
    const result = await it.rotation.rotate("secret-1", "key-1");
    expect(result).toEqual({ ok: true, rotatedAt: it.clock.now });
    expect(it.value()).toBe(NEW);
    expect(it.store.secrets.get("secret-1")).toMatchObject({ rotatedAt: it.clock.now, name: "Example key" });
    expectNoValueSaid(it, result);
  });

  test("is announced once, after the switch", async () => {
    const it = await bench();
    it.add({ rotation: { command: printing(NEW) } });
    await it.rotation.rotate("secret-1", "key-1");
    expect(it.announced).toEqual([NEW]);
  });

  test("has each step on record, with the actor, the name and one rotation id", async () => {
    const it = await bench();
    it.add({ rotation: { command: printing(NEW) } });
    await it.rotation.rotate("secret-1", "key-1");
    expect(it.actions()).toEqual(["rotation_started", "rotation_value_made", "rotated"]);
    const id = it.events[0]?.detail["rotation"];
    expect(id).toEqual(expect.any(String));
    for (const event of it.events) {
      expect(event).toMatchObject({ actor: "key-1", target: "secret-1" });
      expect(event.detail).toMatchObject({ name: "Example key", rotation: id });
    }
  });

  test("keeps its value when the command fails, and says so without the command's words", async () => {
    const it = await bench();
    it.add({ rotation: { command: script(`console.log("${NEW}"); process.exit(3)`) } });
    const result = await it.rotation.rotate("secret-1", "key-1");
    expect(result).toEqual(refused("the command ended with status 3"));
    expect(it.value()).toBe(OLD);
    expect(it.announced).toEqual([]);
    expect(it.actions()).toEqual(["rotation_started", "rotation_failed"]);
    expectNoValueSaid(it, result);
  });

  test("keeps its value when the new one can't stand in a header", async () => {
    const it = await bench();
    it.add({ rotation: { command: printing(`${NEW}\r\nx-evil: 1`) } });
    const result = await it.rotation.rotate("secret-1", "key-1");
    expect(result).toEqual(refused("is placed in a header"));
    expect(it.value()).toBe(OLD);
    expectNoValueSaid(it, result);
  });
});

describe("the old value", () => {
  test("is destroyed once the new one is in use", async () => {
    const it = await bench();
    it.add({ rotation: { command: printing(NEW) } });
    const book = createSecretBook({ store: it.store, vault: it.vault, unreadable: () => undefined });
    const reload = () => book.reload(it.store.secrets.list());
    reload();
    const old = book.get("secret-1");
    await it.another({ changed: reload }).rotate("secret-1", "key-1");
    expect(() => old?.reveal()).toThrow("destroyed");
    expect(book.get("secret-1")?.reveal()).toBe(NEW);
    book.close();
  });
});

describe("the audit of a rotation", () => {
  test("is a part of the chain, and holds no value", async () => {
    const it = await bench();
    it.add({ rotation: { command: printing(NEW) } });
    const { store, vault } = it;
    const audit = openAudit({ store, vault, clock: () => NOW, log: () => undefined });
    await it.another({ audit }).rotate("secret-1", "key-1");
    const { records } = audit.list({ limit: 100 });
    expect(records.map((record) => record["action"])).toEqual([
      "secret.rotated",
      "secret.rotation_value_made",
      "secret.rotation_started",
    ]);
    expect(JSON.stringify(records)).not.toContain("VALUE");
    expect(await audit.verify()).toMatchObject({ valid: true, problem: null });
    audit.stop();
  });
});

describe("a secret that can't be rotated", () => {
  test("has no command or webhook, and the answer says how to set one", async () => {
    const it = await bench();
    it.add({ rotation: { testUrl: "https://api.example.com/" } });
    const result = await it.rotation.rotate("secret-1", "key-1");
    expect(result).toEqual(refused('"Example key" has no command or webhook'));
    expect(result).toEqual(refused("onecli secrets update --rotate-command"));
    expect(it.events).toEqual([]);
  });

  test("does not exist", async () => {
    const it = await bench();
    expect(await it.rotation.rotate("secret-9", "key-1")).toEqual(refused("no such secret"));
    expect(it.events).toEqual([]);
  });
});

describe("an audit that can't record", () => {
  test.each(["secret.rotation_started", "secret.rotation_value_made", "secret.rotated"])(
    "%s keeps the old value in use",
    async (unrecorded) => {
      const control = ({ action }: { action: string }) => {
        if (action === unrecorded) throw new Error("disk full");
      };
      const it = await bench({ audit: { control } });
      it.add({ rotation: { command: printing(NEW) } });
      expect(await it.rotation.rotate("secret-1", "key-1")).toEqual(refused("failed unexpectedly"));
      expect(it.value()).toBe(OLD);
      expect(it.store.secrets.get("secret-1")?.rotatedAt).toBeNull();
      expect(it.announced).toEqual([]);
    },
  );
});

describe("a secret that an administrator touches meanwhile", () => {
  async function rotateWhile(it: Bench, hook: Awaited<ReturnType<typeof heldWebhook>>, change: () => void) {
    const rotating = it.rotation.rotate("secret-1", "key-1");
    await hook.origin.waitForRequests(1);
    change();
    hook.release();
    return rotating;
  }

  test("is deleted, and stays so", async () => {
    const hook = await heldWebhook();
    const it = await bench({ dialer: hook.dialer });
    it.add({ rotation: { webhook: hook.url } });
    const result = await rotateWhile(it, hook, () => it.store.secrets.delete("secret-1"));
    expect(result).toEqual(refused("deleted meanwhile"));
    expect(it.store.secrets.get("secret-1")).toBeUndefined();
  });

  test.each([
    ["a value set by hand", { rotatedAt: 1 }],
    ["another host", { hostPattern: "other.example.com" }],
    ["another placement", { injections: [{ headerName: "x-other", valueFormat: "{value}" }] }],
    ["no rotation any more", { rotation: null }],
  ])("has %s, which comes first", async (_case, change) => {
    const hook = await heldWebhook();
    const it = await bench({ dialer: hook.dialer });
    const credential = it.add({ rotation: { webhook: hook.url } });
    const changed = { ...credential, ...change };
    const result = await rotateWhile(it, hook, () => it.store.secrets.update("secret-1", changed));
    expect(result).toEqual(refused("changed meanwhile"));
    expect(it.value()).toBe(OLD);
    expect(it.store.secrets.get("secret-1")).toEqual(changed);
  });

  test("has another name, and keeps it with the new value", async () => {
    const hook = await heldWebhook();
    const it = await bench({ dialer: hook.dialer });
    const credential = it.add({ rotation: { webhook: hook.url } });
    const renamed = { ...credential, name: "Renamed" };
    expect(await rotateWhile(it, hook, () => it.store.secrets.update("secret-1", renamed))).toEqual(ok);
    expect(it.store.secrets.get("secret-1")?.name).toBe("Renamed");
    expect(it.value()).toBe(NEW);
  });
});

describe("several rotations", () => {
  test("of one secret: the second is refused while the first runs, and goes on after it", async () => {
    const hook = await heldWebhook();
    const it = await bench({ dialer: hook.dialer });
    it.add({ rotation: { webhook: hook.url } });
    const first = it.rotation.rotate("secret-1", "key-1");
    expect(await it.rotation.rotate("secret-1", "key-2")).toEqual(refused("running already"));
    await hook.origin.waitForRequests(1);
    hook.release();
    expect(await first).toEqual(ok);
    const third = it.rotation.rotate("secret-1", "key-3");
    await hook.origin.waitForRequests(2);
    hook.release();
    expect(await third).toEqual(ok);
  });

  test("of different secrets run side by side, up to the limit", async () => {
    const hook = await heldWebhook();
    const it = await bench({ dialer: hook.dialer });
    const ids = Array.from({ length: rotationLimits.runningMax + 1 }, (_, index) => `secret-${index}`);
    for (const id of ids) it.add({ id, name: id, rotation: { webhook: hook.url } });
    const rotating = ids.map((id) => it.rotation.rotate(id, "key-1"));
    expect(await rotating.at(-1)).toEqual(refused("too many secrets"));
    await hook.origin.waitForRequests(rotationLimits.runningMax);
    hook.release();
    expect(await Promise.all(rotating.slice(0, -1))).toEqual(ids.slice(0, -1).map(() => ok));
  });
});

describe("a rotation that a kill cut off", () => {
  test("left the old value, and is reported as failed once at the next start", async () => {
    const hook = await heldWebhook();
    const it = await bench({ dialer: hook.dialer });
    it.add({ rotation: { webhook: hook.url } });
    void it.rotation.rotate("secret-1", "key-1");
    await hook.origin.waitForRequests(1);
    it.another().start();
    expect(it.value()).toBe(OLD);
    expect(it.actions()).toEqual(["rotation_started", "rotation_failed"]);
    expect(it.events[1]).toMatchObject({ actor: "key-1", target: "secret-1" });
    expect(it.events[1]?.detail["rotation"]).toBe(it.events[0]?.detail["rotation"]);
    it.another().start();
    expect(it.actions()).toHaveLength(2);
  });

  test("is not one that ended, well or badly", async () => {
    const it = await bench();
    it.add({ rotation: { command: printing(NEW) } });
    it.add({ id: "secret-2", name: "Other", rotation: { command: ["false"] } });
    await it.rotation.rotate("secret-1", "key-1");
    await it.rotation.rotate("secret-2", "key-1");
    const before = it.actions();
    it.another().start();
    expect(it.actions()).toEqual(before);
  });

  test("is not one that this process began before it was started", async () => {
    const hook = await heldWebhook();
    const it = await bench({ dialer: hook.dialer });
    it.add({ rotation: { webhook: hook.url } });
    const rotating = it.rotation.rotate("secret-1", "key-1");
    it.rotation.start();
    await hook.origin.waitForRequests(1);
    hook.release();
    expect(await rotating).toEqual(ok);
    expect(it.actions()).not.toContain("rotation_failed");
  });
});

describe("a gateway that stops", () => {
  test("ends a running command and keeps the old value", async () => {
    const it = await bench();
    it.add({ rotation: { command: script("setInterval(() => {}, 1000)") } });
    const rotating = it.rotation.rotate("secret-1", "key-1");
    it.rotation.stop();
    expect(await rotating).toEqual(refused("the gateway stopped"));
    expect(it.value()).toBe(OLD);
  });

  test("ends a running webhook, and survives that its database is closed by then", async () => {
    const hook = await heldWebhook();
    const it = await bench({ dialer: hook.dialer });
    it.add({ rotation: { webhook: hook.url } });
    const rotating = it.rotation.rotate("secret-1", "key-1");
    await hook.origin.waitForRequests(1);
    it.rotation.stop();
    it.store.close();
    expect(await rotating).toEqual(refused("the gateway stopped"));
  });

  test("begins no rotation", async () => {
    const it = await bench();
    it.add({ rotation: { command: printing(NEW) } });
    it.rotation.stop();
    expect(await it.rotation.rotate("secret-1", "key-1")).toEqual(refused("stopping"));
    expect(it.events).toEqual([]);
  });
});

describe("a secret with a period", () => {
  const HOUR_MS = 3_600_000;

  test("is rotated by the gateway when the period has passed, and not before", async () => {
    const it = await bench({ checkIntervalMs: 5 });
    it.add({ rotation: { command: printing(NEW), rotateEvery: "1h" } });
    it.clock.now += HOUR_MS - 1;
    it.rotation.start();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(it.events).toEqual([]);
    it.clock.now += 1;
    await vi.waitFor(() => expect(it.actions()).toContain("rotated"));
    expect(it.value()).toBe(NEW);
    expect(it.events[0]?.actor).toBe("gateway");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(it.actions()).toHaveLength(3);
  });

  test("is tried again after a pause that doubles when it fails", async () => {
    const it = await bench({ checkIntervalMs: 5 });
    it.add({ rotation: { command: ["false"], rotateEvery: "1h" } });
    it.clock.now += HOUR_MS;
    it.rotation.start();
    const failures = () => it.actions().filter((action) => action === "rotation_failed").length;
    await vi.waitFor(() => expect(failures()).toBe(1));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(failures()).toBe(1);
    it.clock.now += rotationLimits.backoffMs;
    await vi.waitFor(() => expect(failures()).toBe(2));
    it.clock.now += rotationLimits.backoffMs;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(failures()).toBe(2);
    expect(it.value()).toBe(OLD);
  });

  test("is one of many, and all get their turn", async () => {
    const it = await bench({ checkIntervalMs: 5 });
    const ids = Array.from({ length: rotationLimits.runningMax * 2 }, (_, index) => `secret-${index}`);
    for (const id of ids) it.add({ id, name: id, rotation: { command: printing(NEW), rotateEvery: "5m" } });
    it.clock.now += HOUR_MS;
    it.rotation.start();
    await vi.waitFor(() => expect(ids.map((id) => it.value(id))).toEqual(ids.map(() => NEW)), 10_000);
  });

  test("stays as it is once the gateway stops", async () => {
    const it = await bench({ checkIntervalMs: 5 });
    it.add({ rotation: { command: printing(NEW), rotateEvery: "1h" } });
    it.clock.now += HOUR_MS;
    it.rotation.start();
    it.rotation.stop();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(it.value()).toBe(OLD);
  });
});
