import { describe, expect, test } from "vitest";
import type { OriginHandler } from "../../test/support/origin.ts";
import { createTestAuthority } from "../../test/support/test-authority.ts";
import { rotationLimits } from "./limits.ts";
import { NEW, dialerTo, originFor } from "./testing.ts";
import { askWebhook } from "./webhook.ts";

const HOST = "hooks.demo.test";
const secret = { id: "secret-1", name: "Example key" };

function ask(
  dialer: ReturnType<typeof dialerTo>,
  { url = `https://${HOST}/renew?t=1`, timeoutMs = 20_000 } = {},
) {
  return askWebhook({ dialer, url, secret, signal: AbortSignal.timeout(timeoutMs) });
}

async function messageOf(asking: Promise<string>): Promise<string> {
  return asking.then(
    () => "it gave a value",
    (error: Error) => `${error.name}: ${error.message}`,
  );
}

const answering =
  (body: string | Buffer, status = 200, fields: Record<string, string> = {}): OriginHandler =>
  (_request, response) =>
    response.writeHead(status, fields).end(body);

describe("a webhook", () => {
  test("is told the secret's id and name in a POST, and gives the value", async () => {
    const origin = await originFor([HOST]);
    origin.handle(answering(JSON.stringify({ value: NEW, more: 1 })));
    expect(await ask(dialerTo({ [HOST]: origin }))).toBe(NEW);
    const [request] = origin.requests;
    expect(request).toMatchObject({ method: "POST", url: "/renew?t=1" });
    expect(JSON.parse(String(request?.body))).toEqual({ secret });
    expect(origin.requests).toHaveLength(1);
  });

  test("may give 10,000 characters, each escaped", async () => {
    const origin = await originFor([HOST]);
    origin.handle(answering(`{"value":"${"\\u00e9".repeat(10_000)}"}`));
    expect(await ask(dialerTo({ [HOST]: origin }))).toBe("é".repeat(10_000));
  });

  test("keeps no connection", async () => {
    const origin = await originFor([HOST]);
    origin.handle(answering(JSON.stringify({ value: NEW })));
    await ask(dialerTo({ [HOST]: origin }));
    await expect.poll(() => origin.open).toBe(0);
  });
});

describe("a webhook that gives no value", () => {
  test.each([
    ["another status", answering(NEW, 500), "answered 500"],
    ["no content", answering("", 204), "did not answer"],
    ["no JSON", answering(NEW), "did not answer"],
    ["JSON without it", answering(JSON.stringify({ secret: NEW })), "did not answer"],
    ["a number", answering('{"value":12345}'), "did not answer"],
    ["bytes that are no text", answering(Buffer.from([0x7b, 0xff, 0xfe])), "not UTF-8"],
    ["more than the limit", answering("VALUE ".repeat(rotationLimits.newValueBytesMax)), "more than"],
    ["half an answer", (_request, response) => void response.writeHead(200).write(NEW), "took too long"],
    ["no answer", () => undefined, "took too long"],
    ["an end before the answer", (request) => void request.socket.destroy(), "no usable answer"],
  ] satisfies [string, OriginHandler, string][])(
    "answers %s, and is told without quoting it",
    async (_case, handler, why) => {
      const origin = await originFor([HOST]);
      origin.handle(handler);
      const message = await messageOf(ask(dialerTo({ [HOST]: origin }), { timeoutMs: 1_000 }));
      expect(message).toContain(why);
      expect(message).toMatch(/^RotationError: /);
      expect(message).not.toMatch(/VALUE|renew|t=1/);
    },
  );

  test("answers bytes that are no HTTP", async () => {
    const origin = await originFor([HOST]);
    origin.respondRaw(`${NEW}\r\n\r\n`);
    const message = await messageOf(ask(dialerTo({ [HOST]: origin })));
    expect(message).toContain("no usable answer");
    expect(message).not.toContain("VALUE");
  });

  test.each([301, 302, 303, 307, 308])("redirects by %i and is not followed", async (status) => {
    const origin = await originFor([HOST, "evil.demo.test"]);
    origin.handle(answering("", status, { location: "https://evil.demo.test/" }));
    const dialer = dialerTo({ [HOST]: origin, "evil.demo.test": origin });
    expect(await messageOf(ask(dialer))).toContain(`answered ${status}`);
    expect(origin.requests).toHaveLength(1);
  });
});

describe("a webhook that must not be called", () => {
  test("has a certificate of an authority that nobody trusts, and gets no byte", async () => {
    const stranger = createTestAuthority("Stranger").issue({ names: [HOST] });
    const origin = await originFor([HOST], { tlsOptions: stranger });
    expect(await messageOf(ask(dialerTo({ [HOST]: origin })))).toContain("no verified connection");
    expect(origin.receivedBytes).toBe(0);
  });

  test("has a certificate for another name, and gets no byte", async () => {
    const origin = await originFor(["other.demo.test"]);
    expect(await messageOf(ask(dialerTo({ [HOST]: origin })))).toContain("no verified connection");
    expect(origin.receivedBytes).toBe(0);
  });

  test("is at an address that the guard refuses, and gets no connection", async () => {
    const origin = await originFor([HOST]);
    expect(await messageOf(ask(dialerTo({ [HOST]: origin }, false)))).toContain("private, special");
    expect(origin.accepted).toBe(0);
  });

  test.each([
    ["is not https", `http://${HOST}/`],
    ["holds a user name", `https://VALUE@${HOST}/`],
    ["holds a password", `https://u:VALUE@${HOST}/`],
    ["is not a URL", "VALUE"],
    ["has no host that can be called", "https://a..b/VALUE"],
  ])("has a URL that %s", async (_case, url) => {
    const origin = await originFor([HOST]);
    const asking = (async () => ask(dialerTo({ [HOST]: origin }), { url }))();
    const message = await messageOf(asking);
    expect(message).toMatch(/^RotationError: the URL of the webhook /);
    expect(message).not.toContain("VALUE");
    expect(origin.accepted).toBe(0);
  });
});
