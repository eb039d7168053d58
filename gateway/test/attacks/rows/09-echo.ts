// The origin gives the secret back: the agent never receives it, whatever carries it.
import zlib from "node:zlib";
import type { ServerResponse } from "node:http";
import { row, type Trial } from "../row.ts";
import { spellingIn, spellings } from "../spellings.ts";
import { bodyOf, bytesOf, headOf, open, readUntil, send, shown } from "../wire.ts";
import { authorityOf } from "../world.ts";

const CLASS = "echo";
const ingresses = ["tunnel-tls", "absolute-tls", "unix"] as const;
const STREAM_MS = 1_000;

type Reply = (response: ServerResponse, secret: string) => void;

/** Sends one request to which the origin replies so; the value must not be in the answer in any spelling. */
async function echo(trial: Trial, what: string, reply: Reply, fields: readonly string[] = []) {
  const { world, ingress, check } = trial;
  const secret = world.secret ?? "";
  world.api.origin.handle((_, response) => reply(response, secret));
  const outcome = await send(world, ingress, world.api, { path: "/echo", fields });
  const found = spellingIn(readable(outcome.text), secret) ?? spellingIn(outcome.text, secret);
  check(found === null, `${what}: the value came back ${found}`);
  check(outcome.status !== 0, `${what}: no answer`);
  return outcome;
}

/** The body as its reader gets it: chunks joined, coding undone. */
function readable(text: string): string {
  const head = headOf(text);
  const body = /\r\ntransfer-encoding: *chunked/i.test(head) ? joined(bodyOf(text)) : bodyOf(text);
  const coding = /\r\ncontent-encoding: *([^\r]*)/i.exec(head)?.[1]?.toLowerCase() ?? "";
  const decode = {
    gzip: zlib.gunzipSync,
    br: zlib.brotliDecompressSync,
    deflate: zlib.inflateSync,
    zstd: zlib.zstdDecompressSync,
  }[coding];
  try {
    return decode === undefined ? head + body : head + decode(Buffer.from(body, "latin1")).toString("latin1");
  } catch {
    return head + body;
  }
}

function joined(chunks: string): string {
  let text = "";
  for (let at = 0; at < chunks.length;) {
    const end = chunks.indexOf("\r\n", at);
    const size = Number.parseInt(chunks.slice(at, end), 16);
    if (end === -1 || !(size > 0)) break;
    text += chunks.slice(end + 2, end + 2 + size);
    at = end + 2 + size + 2;
  }
  return text;
}

const gzip = (text: string) => zlib.gzipSync(text);
const codings: readonly (readonly [string, (text: string) => Buffer])[] = [
  ["gzip", gzip],
  ["GZIP", gzip],
  ["x-gzip", gzip],
  ["gzip", (text) => Buffer.concat([gzip(text.slice(0, 12)), gzip(text.slice(12))])],
  ["gzip", (text) => zlib.gzipSync(text, { level: 0 })],
  ["br", (text) => zlib.brotliCompressSync(text)],
  ["deflate", (text) => zlib.deflateSync(text)],
  ["deflate", (text) => zlib.deflateRawSync(text)],
  ["zstd", (text) => zlib.zstdCompressSync(text)],
  ["gzip, gzip", (text) => gzip(gzip(text).toString("latin1"))],
  ["identity", (text) => Buffer.from(text)],
];

export const rows = [
  row({
    id: "09.1",
    class: CLASS,
    name: "The value does not come back in a body, in any spelling, with a length or chunked",
    ingresses,
    needs: ["injection"],
    async on(trial) {
      for (const [what, spell] of Object.entries(spellings)) {
        await echo(trial, `${what}, with a length`, (response, secret) =>
          response.end(`before ${spell(secret)} after`),
        );
        await echo(trial, `${what}, chunked`, (response, secret) => {
          response.write("before ");
          response.write(spell(secret));
          response.end(" after");
        });
      }
    },
  }),
  row({
    id: "09.2",
    class: CLASS,
    name: "The value does not come back in fields, the reason phrase, trailers or interim responses",
    ingresses,
    needs: ["injection"],
    async on(trial) {
      for (const what of ["raw", "percent-encoded", "hex in lower case", "base64", "in a Basic field"]) {
        const spell = spellings[what] as (value: string) => string;
        const cookie = (secret: string) => ({
          "set-cookie": [`a=${spell(secret)}`, "b=c"],
          "x-echo": spell(secret),
          "www-authenticate": spell(secret),
        });
        await echo(trial, `${what}, in fields`, (response, secret) =>
          response.writeHead(200, cookie(secret)).end("ok"),
        );
        await echo(trial, `${what}, in the reason`, (response, secret) =>
          response.writeHead(200, spell(secret)).end("ok"),
        );
        await echo(trial, `${what}, in trailers`, (response, secret) => {
          response.writeHead(200, { trailer: "x-late" }).write("ok");
          response.addTrailers({ "x-late": spell(secret) });
          response.end();
        });
        await echo(trial, `${what}, in 103`, (response, secret) => {
          response.writeEarlyHints({
            link: `</${encodeURIComponent(spell(secret))}>; rel=preload`,
            "x-echo": spell(secret),
          });
          response.end("ok");
        });
      }
    },
  }),
  row({
    id: "09.3",
    class: CLASS,
    name: "The value does not come back in an error page or a redirect",
    ingresses,
    needs: ["injection"],
    async on(trial) {
      for (const status of [201, 206, 302, 400, 401, 403, 404, 407, 418, 500, 502, 503, 599]) {
        await echo(trial, `status ${status}`, (response, secret) =>
          response
            .writeHead(status, { location: `https://x.test/?k=${encodeURIComponent(secret)}` })
            .end(`<p>${secret}</p>`),
        );
      }
    },
  }),
  row({
    id: "09.4",
    class: CLASS,
    name: "The value does not come back in a content coding",
    ingresses,
    needs: ["injection"],
    async on(trial) {
      for (const [coding, encode] of codings) {
        const reply: Reply = (response, secret) =>
          response.writeHead(200, { "content-encoding": coding }).end(encode(`before ${secret} after`));
        await echo(trial, coding, reply, ["Accept-Encoding: gzip, deflate, br, zstd"]);
      }
    },
  }),
  row({
    id: "09.5",
    class: CLASS,
    name: "A coding that nobody can look into is refused where a secret was placed",
    ingresses,
    needs: ["injection"],
    async on(trial) {
      for (const coding of ["rot13", "compress", "aes128gcm", "dcb", "gzip, rot13", "gzip;q=1"]) {
        const outcome = await echo(trial, coding, (response, secret) =>
          response.writeHead(200, { "content-encoding": coding }).end(secret),
        );
        trial.check(outcome.status >= 500, `${coding}: ${shown(outcome)}`);
      }
    },
  }),
  row({
    id: "09.6",
    class: CLASS,
    name: "The value does not come back cut into pieces",
    ingresses,
    needs: ["injection"],
    async on(trial) {
      const pieces =
        (size: number): Reply =>
        (response, secret) => {
          for (let at = 0; at < secret.length; at += size) response.write(secret.slice(at, at + size));
          response.end();
        };
      for (const size of [1, 2, 7, 16]) await echo(trial, `chunks of ${size}`, pieces(size));
      await echo(trial, "packets with a length", (response, secret) => {
        response.writeHead(200, { "content-length": secret.length });
        response.write(secret.slice(0, 9));
        setTimeout(() => response.end(secret.slice(9)), 30);
      });
      await echo(trial, "a long body", (response, secret) =>
        response.end(`${"x".repeat(300_000)}${secret}${"y".repeat(1_000)}`),
      );
      await echo(trial, "events", (response, secret) => {
        response.writeHead(200, { "content-type": "text/event-stream" });
        response.write(`data: ${secret.slice(0, 5)}`);
        setTimeout(() => response.end(`${secret.slice(5)}\n\n`), 30);
      });
      await echo(trial, "gzip, flushed in the middle", (response, secret) => {
        response.writeHead(200, { "content-encoding": "gzip" });
        const stream = zlib.createGzip({ flush: zlib.constants.Z_SYNC_FLUSH });
        stream.pipe(response);
        stream.write(secret.slice(0, 9), () => stream.end(secret.slice(9)));
      });
    },
  }),
  row({
    id: "09.7",
    class: CLASS,
    name: "Byte ranges do not give the value away one character at a time",
    ingresses,
    needs: ["injection"],
    async on({ world, ingress, check }) {
      const secret = world.secret ?? "";
      world.api.origin.handle(({ headers }, response) => {
        const range = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? "");
        if (range === null) return void response.end(secret);
        const [from = 0, to = 0] = range.slice(1).map(Number);
        return void response
          .writeHead(206, { "content-range": `bytes ${from}-${to}/${secret.length}` })
          .end(secret.slice(from, to + 1));
      });
      let collected = "";
      for (let at = 0; at < secret.length; at += 4) {
        const { text } = await send(world, ingress, world.api, { fields: [`Range: bytes=${at}-${at + 3}`] });
        collected += bodyOf(text).slice(0, 4);
      }
      check(!collected.includes(secret.slice(0, 16)), "the value was collected");
      for (const range of ["bytes=0-3,4-7", "bytes=-4", "bytes=0-"]) {
        const { text } = await send(world, ingress, world.api, {
          fields: [`Range: ${range}`, "If-Range: x"],
        });
        check(spellingIn(text, secret) === null, `${range}: the value came back`);
      }
    },
  }),
  row({
    id: "09.8",
    class: CLASS,
    name: "A stream is not held up beyond a possible partial match",
    ingresses,
    needs: ["injection"],
    async on({ world, ingress, check }) {
      world.api.origin.handle(
        (_, response) =>
          void response.writeHead(200, { "content-type": "text/event-stream" }).write("data: first\n\n"),
      );
      const opened = await open(world, ingress, authorityOf(world.api), world.api.host);
      if (!opened.ok) return check(false, "no way in");
      opened.socket.write(bytesOf(world, ingress, world.api, { path: "/events" }));
      const text = await readUntil(opened.socket, (text) => text.includes("first\n\n"), STREAM_MS);
      opened.socket.destroy();
      check(text.includes("first\n\n"), "the first event was held back");
    },
  }),
  row({
    id: "09.9",
    class: CLASS,
    name: "The value does not come back on a path of its host where it was not placed",
    ingresses,
    needs: ["control"],
    async on({ world, ingress, check }) {
      const { own, secret } = world;
      if (own === null || secret === null) return;
      world.api.origin.handle((_, response) => void response.end(`stored: ${secret}`));
      const { text } = await send(world, ingress, own.scoped, { path: "/v2/stored" });
      check(spellingIn(text, secret) === null, "the value came back");
    },
  }),
];
