// What holds for all inputs, end to end: bytes of a client in, bytes at the origin out.
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startOwnWorld } from "./own-world.ts";
import { ambiguousChunks, ambiguousFramings } from "./rows/04-smuggling.ts";
import { fieldValues, requestLines, tap } from "./tap.ts";
import { bytesOf, open, readUntil, send, sendBytes } from "./wire.ts";
import { type World, authorityOf, hostOf } from "./world.ts";

const RUNS = { numRuns: 60 };
let world: World;
beforeAll(async () => {
  world = await startOwnWorld();
});
afterAll(() => world?.stop());

/** One way in which some server still reads the same character. */
const writings = (character: string): string[] => {
  const hex = character.charCodeAt(0).toString(16);
  const plain = [character, `%${hex}`, `%${hex.toUpperCase()}`, `%25${hex}`];
  return character === "/"
    ? [...plain, "//", "/./", "\\", "%5c", "/x/../", "/x/..%2f", "/;p=1/", "/%2e/"]
    : plain;
};

const encodingOf = (path: string): fc.Arbitrary<string> =>
  fc
    .tuple(
      ...Array.from(path, (character, at) =>
        at === 0
          ? fc.constantFrom("/", "//", "/./", "/x/../", "/;/", "/%2e/")
          : fc.constantFrom(...writings(character)),
      ),
    )
    .map((parts) => parts.join(""));

describe("the path", () => {
  test("no encoding of a denied path is permitted, and nothing of it is sent", async () => {
    await fc.assert(
      fc.asyncProperty(encodingOf("/admin/keys"), async (path) => {
        const seen = tap(world);
        const { status } = await send(world, "absolute", world.plain, { path });
        expect([400, 403], path).toContain(status);
        expect(seen.all()).toBe("");
      }),
      RUNS,
    );
  });

  test("what is sent of a permitted one is no spelling of a denied one", async () => {
    const segment = fc.constantFrom(
      "a",
      "..",
      ".",
      "",
      "%2e",
      "x;y",
      "b%2fc",
      "admin",
      "%61dmin",
      "keys",
      "..%2f",
      "\\",
      "c d",
    );
    await fc.assert(
      fc.asyncProperty(fc.array(segment, { maxLength: 6 }), async (segments) => {
        const seen = tap(world);
        await send(world, "absolute", world.plain, { path: `/${segments.join("/")}` });
        for (const line of requestLines(seen.all())) {
          const sent = decodeURIComponent(decodeURIComponent(line.split(" ")[1] ?? "")).replaceAll("\\", "/");
          expect(
            new URL(sent.replaceAll(/;[^/]*/g, "").replaceAll(/\/{2,}/g, "/"), "http://h").pathname,
          ).not.toMatch(/^\/admin(?:\/|$)/);
        }
      }),
      RUNS,
    );
  });
});

describe("the authority", () => {
  const written = fc.oneof(
    fc
      .constantFrom(
        ":",
        "@",
        ".",
        "..",
        ":443",
        ":80",
        ":0",
        "evil.test",
        "\t",
        " ",
        "%00",
        "/",
        "#",
        "?",
        "[",
        "]",
        ",",
      )
      .chain((insert) =>
        fc
          .nat({ max: 17 })
          .map((at) => `api.attack.test`.slice(0, at) + insert + `api.attack.test`.slice(at)),
      ),
    fc.mixedCase(fc.constant("api.attack.test")),
    fc.string({ unit: fc.constantFrom(...Array.from("apiX.-:@[]%_0 ")), maxLength: 20 }),
  );

  test("a Host is the tunnel's own or the request is refused", async () => {
    await fc.assert(
      fc.asyncProperty(written, async (host) => {
        const seen = tap(world);
        const { status } = await send(world, "tunnel-tls", world.api, { host });
        const sent = fieldValues(seen.all(), "host");
        if (status === 200) expect(sent).toEqual([hostOf(world.api)]);
        else expect(seen.all(), `${host} ${status}`).toBe("");
      }),
      RUNS,
    );
  });

  test("a CONNECT target opens a tunnel to the one host that it names, or none", async () => {
    await fc.assert(
      fc.asyncProperty(written, async (name) => {
        const seen = tap(world);
        const opened = await open(world, "tunnel-plain", `${name}:443`, world.api.host);
        if (!opened.ok) return;
        opened.socket.write(bytesOf(world, "tunnel-plain", world.api, { host: `${name}:443` }));
        await readUntil(opened.socket, (text) => text.includes("\r\n\r\n"), 300);
        opened.socket.destroy();
        expect(seen.all(), name).not.toContain(world.secret);
      }),
      { numRuns: 30 },
    );
  });
});

describe("the framing", () => {
  const hidden = "GET /hidden-request HTTP/1.1\r\nHost: plain.attack.test\r\n\r\n";

  test("one request in is at most one request out, whatever is said about its length", async () => {
    const framings = [...ambiguousFramings(hidden), ...ambiguousChunks(hidden)];
    const noise = fc.constantFrom(
      "",
      "X-A: b\r\n",
      "X-Long: " + "a".repeat(500) + "\r\n",
      "Connection: keep-alive\r\n",
      "Expect:\r\n",
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...framings),
        noise,
        noise,
        async ({ what, fields, body }, before, behind) => {
          const seen = tap(world);
          const head = bytesOf(world, "absolute", world.plain, { method: "POST", path: "/outer" }).toString(
            "latin1",
          );
          const bytes = `${head.slice(0, -2)}${before}${fields}${behind}\r\n${body}`;
          const { answers } = await sendBytes(world, "absolute", world.plain, bytes);
          expect(answers, what).toBeLessThan(2);
          expect(requestLines(seen.all()).join(), what).not.toContain("hidden");
        },
      ),
      RUNS,
    );
  });

  test("bytes cut anywhere are the same request", async () => {
    const message = bytesOf(world, "absolute", world.plain, {
      method: "POST",
      path: "/cut",
      fields: ["Transfer-Encoding: chunked"],
      body: "5\r\nhello\r\n3;x=y\r\nabc\r\n0\r\n\r\n",
    });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: message.length - 1 }), async (at) => {
        const seen = tap(world);
        const opened = await open(world, "absolute", authorityOf(world.plain), world.plain.host);
        if (!opened.ok) throw new Error("no way in");
        opened.socket.write(message.subarray(0, at));
        await new Promise((resolve) => setTimeout(resolve, 3));
        opened.socket.write(message.subarray(at));
        const answer = await readUntil(opened.socket, (text) => text.endsWith("ok"), 2_000);
        opened.socket.destroy();
        expect(answer).toContain("200 OK");
        expect(requestLines(seen.all())).toEqual(["POST /cut HTTP/1.1"]);
      }),
      { numRuns: 30 },
    );
  });
});
