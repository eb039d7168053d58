// Little on the wire that would be much in memory, or work without end, if it were kept as it comes.
import { afterAll, beforeAll, expect, test } from "vitest";
import { gzipSync } from "node:zlib";
import { Gathered } from "../src/proxy/gather.ts";
import { createScrubber } from "../src/scrub/scrubber.ts";
import { FrameError } from "../src/websocket/frames.ts";
import { scrubFrames } from "../src/websocket/scrub-frames.ts";
import { openSecureTunnel, parseAnswer, tunnelExchange } from "./support/client.ts";
import { demoSecret, eventually, HOST, startWorld, VALUE, type World } from "./support/world.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld();
  await demoSecret(world.gateway, {
    injectionConfig: [
      { headerName: "Authorization", valueFormat: "Bearer {value}" },
      { placeholder: ["body"] },
    ],
  });
  world.origin.handle((_, response) => response.setHeader("Connection", "close").end("ok"));
});
afterAll(() => world?.stop());

test("a body that comes byte by byte and is held weighs little more than its bytes", async () => {
  const count = 200_000;
  const before = process.memoryUsage().heapUsed;
  const socket = await openSecureTunnel(world.via, `${HOST}:443`);
  socket.write(
    `POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`,
  );
  for (let sent = 0; sent < count; sent += 10_000) {
    const isFull = !socket.write("1\r\na\r\n".repeat(10_000));
    if (isFull) await new Promise((resolve) => socket.once("drain", resolve));
  }
  await new Promise((resolve) => setTimeout(resolve, 300));
  // Kept as they came, these were 45 MB.
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(25_000_000);
  socket.write("0\r\n\r\n");
  await world.origin.waitForRequests(1);
  expect(world.origin.requests[0]?.body.length).toBe(count);
  socket.destroy();
});

test("what is gathered is what was added", () => {
  const gathered = new Gathered();
  const pieces = Array.from({ length: 3_000 }, (_, index) => Buffer.alloc(index % 7, index));
  for (const piece of pieces) gathered.add(piece);
  expect(gathered.take().equals(Buffer.concat(pieces))).toBe(true);
  expect(gathered.take().length).toBe(0);
});

test("frames that an origin sends in the middle of a value are not kept without end", () => {
  const scrubber = createScrubber([{ value: Buffer.from(VALUE), placeholder: "fake" }]);
  if (scrubber === null) throw new Error("nothing to search for");
  const filter = scrubFrames(scrubber);
  filter.push(Buffer.concat([Buffer.from([0x01, 10]), Buffer.from(VALUE.slice(0, 10))]));
  const pings = Buffer.concat(Array.from({ length: 1_000 }, () => Buffer.from([0x89, 0])));
  const flood = () => {
    for (let sent = 0; sent < 100; sent += 1) filter.push(pings);
  };
  expect(flood).toThrow(FrameError);
});

test("an answer that begins many spellings of many values is searched in seconds, not minutes", () => {
  const values = Array.from({ length: 20 }, (_, index) => `sk-demo-${index + 10}-${"abcdefghij".repeat(3)}`);
  const scrubber = createScrubber(
    values.map((value) => ({ value: Buffer.from(value), placeholder: "fake" })),
  );
  const spellings = (character: string) => {
    const code = character.charCodeAt(0);
    const hex = code.toString(16);
    return [character, `%${hex}`, `%25${hex}`, `\\u00${hex}`, `&#${code};`, `&#x${hex};`];
  };
  let turn = 0;
  const spelled = (text: string) =>
    Array.from(text, (character) => spellings(character)[(turn = (turn * 31 + 7) % 1_009) % 6]).join("");
  const parts = Array.from({ length: 1_500 }, (_, index) =>
    spelled((values[index % 20] ?? "").slice(0, index % 30)),
  );
  const startedAt = performance.now();
  scrubber?.stream({ sameLength: false }).push(Buffer.from(parts.join("")));
  expect(performance.now() - startedAt).toBeLessThan(8_000);
});

const body = gzipSync("hello");
const answers: readonly (readonly [string, Buffer, string])[] = [
  [
    "plain, with a length",
    Buffer.from("HTTP/1.1 200 OK\r\nTrailer: X-A\r\nContent-Length: 5\r\n\r\nhello"),
    "GET",
  ],
  [
    "compressed, with a length",
    Buffer.concat([
      Buffer.from(
        `HTTP/1.1 200 OK\r\nTrailer: X-A\r\nContent-Encoding: gzip\r\nContent-Length: ${body.length}\r\n\r\n`,
      ),
      body,
    ]),
    "GET",
  ],
  ["to HEAD", Buffer.from("HTTP/1.1 200 OK\r\nTrailer: X-A\r\nTransfer-Encoding: chunked\r\n\r\n"), "HEAD"],
];

test.each(answers)(
  "an answer that announces trailers it can't have arrives: %s",
  async (_, bytes, method) => {
    world.origin.respondRaw(bytes);
    const request = `${method} / HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`;
    const { status, body: text } = parseAnswer(
      await tunnelExchange(world.via, `${HOST}:443`, request, 3_000),
    );
    world.origin.respondRaw(null);
    expect(status).toBe(200);
    expect(text).toBe(method === "HEAD" ? "" : "hello");
    await eventually(() => world.gateway.gateway.plane.live.exchanges.size === 0);
  },
);
