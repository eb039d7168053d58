// Two readings of where a request ends: exactly one request out for one request in.
import { row } from "../row.ts";
import { requestLines, tap } from "../tap.ts";
import { bytesOf, open, readUntil, refused, sendBytes, shown } from "../wire.ts";
import {
  type Ingress,
  type Place,
  type World,
  authorityOf,
  hostOf,
  messageIngresses,
  placeFor,
} from "../world.ts";

const CLASS = "smuggling";

interface Framing {
  readonly what: string;
  /** field lines, joined by line ends of their own where these matter */
  readonly fields: string;
  readonly body: string;
}

/** Time for the beginning of a body to reach the origin. */
const SHORT_MS = 150;
const HIDDEN = "/hidden-request";
const hidden = (host: string) => `GET ${HIDDEN} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;

/** Every one of these has two readings; `inner` is what one of them takes for a further request. */
export function ambiguousFramings(inner: string): Framing[] {
  const length = Buffer.byteLength(inner);
  const chunked = `0\r\n\r\n${inner}`;
  const both = `Content-Length: ${chunked.length}\r\n`;
  const te = (value: string) => `${both}${value}\r\n`;
  const lengths = (a: string, b: string) => `Content-Length: ${a}\r\nContent-Length: ${b}\r\n`;
  const single = (value: string): Framing => ({
    what: `Content-Length: ${JSON.stringify(value)}`,
    fields: `Content-Length: ${value}\r\n`,
    body: inner,
  });
  return [
    { what: "CL beside TE", fields: te("Transfer-Encoding: chunked"), body: chunked },
    { what: "TE before CL", fields: `Transfer-Encoding: chunked\r\n${both}`, body: chunked },
    { what: "CL 0 beside TE", fields: "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", body: chunked },
    { what: "two CL that differ", fields: lengths("0", String(length)), body: inner },
    { what: "two CL alike", fields: lengths("0", "0"), body: inner },
    { what: "CL with a list", fields: `Content-Length: 0, ${length}\r\n`, body: inner },
    { what: "CL with a list of equals", fields: "Content-Length: 0, 0\r\n", body: inner },
    ...[
      "+0",
      "-1",
      "0x0",
      "0 0",
      "1e1",
      "٠",
      "",
      " ",
      "0;",
      "18446744073709551616",
      "00000000000000000000000000000000x",
    ].map(single),
    { what: "TE xchunked", fields: te("Transfer-Encoding: xchunked"), body: chunked },
    { what: "TE: chunked, identity", fields: te("Transfer-Encoding: chunked, identity"), body: chunked },
    { what: "TE: identity", fields: te("Transfer-Encoding: identity"), body: chunked },
    { what: "TE: gzip, chunked", fields: "Transfer-Encoding: gzip, chunked\r\n", body: chunked },
    { what: "TE: chunked, chunked", fields: "Transfer-Encoding: chunked, chunked\r\n", body: chunked },
    {
      what: "TE twice",
      fields: "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
      body: chunked,
    },
    { what: "TE with a vertical tab", fields: te("Transfer-Encoding: \x0bchunked"), body: chunked },
    { what: "TE with NUL", fields: te("Transfer-Encoding: chunked\0"), body: chunked },
    { what: "TE quoted", fields: te('Transfer-Encoding: "chunked"'), body: chunked },
    { what: "TE with a parameter", fields: te("Transfer-Encoding: chunked;x=1"), body: chunked },
    { what: "TE empty", fields: te("Transfer-Encoding:"), body: chunked },
    { what: "space before the colon", fields: te("Transfer-Encoding : chunked"), body: chunked },
    { what: "tab before the colon", fields: te("Transfer-Encoding\t: chunked"), body: chunked },
    { what: "CL with space before the colon", fields: `Content-Length : ${length}\r\n`, body: inner },
    { what: "obsolete folding of TE", fields: `${both}Transfer-Encoding:\r\n chunked\r\n`, body: chunked },
    {
      what: "obsolete folding into TE",
      fields: `${both}X-A: b\r\n Transfer-Encoding: chunked\r\n`,
      body: chunked,
    },
    {
      what: "a first line that begins with space",
      fields: ` Transfer-Encoding: chunked\r\n${both}`,
      body: chunked,
    },
    {
      what: "bare LF behind a field",
      fields: `X-A: b\nTransfer-Encoding: chunked\r\n${both}`,
      body: chunked,
    },
    {
      what: "bare CR behind a field",
      fields: `X-A: b\rTransfer-Encoding: chunked\r\n${both}`,
      body: chunked,
    },
    { what: "a field without a colon", fields: `Transfer-Encoding\r\n${both}`, body: inner },
    { what: "a field without a name", fields: `: chunked\r\n${both}`, body: inner },
    { what: "a control in a field name", fields: `Transfer\x00-Encoding: chunked\r\n${both}`, body: chunked },
    {
      what: "TE under HTTP/1.0 names",
      fields: "Transfer-Encoding: cow\r\nTransfer-Encoding: chunked\r\n",
      body: chunked,
    },
  ];
}

/** Bodies that a careless reader of chunks ends early or late. */
export function ambiguousChunks(inner: string): Framing[] {
  const of = (what: string, body: string): Framing => ({
    what,
    fields: "Transfer-Encoding: chunked\r\n",
    body,
  });
  return [
    of("a chunk size in 0x", `0x1\r\na\r\n0\r\n\r\n${inner}`),
    of("a chunk size with a sign", `+1\r\na\r\n0\r\n\r\n${inner}`),
    of("a negative chunk size", `-1\r\na\r\n0\r\n\r\n${inner}`),
    of("a chunk size with spaces", `1 1\r\na\r\n0\r\n\r\n${inner}`),
    of("a chunk size that overflows", `10000000000000001\r\na\r\n0\r\n\r\n${inner}`),
    of("bare LF behind a chunk size", `1\na\r\n0\r\n\r\n${inner}`),
    of("bare LF behind a chunk", `1\r\na\n0\r\n\r\n${inner}`),
    of("bare LF in a chunk extension", `1;x\n${inner}\r\na\r\n0\r\n\r\n`),
    of("bare CR in a chunk extension", `1;x\ry\r\na\r\n0\r\n\r\n${inner}`),
    of("bytes behind a chunk", `1\r\nab\r\n0\r\n\r\n${inner}`),
    of("no line end behind a chunk", `1\r\na0\r\n\r\n${inner}`),
    of("an empty chunk size", `\r\na\r\n0\r\n\r\n${inner}`),
    of("a chunk extension without a name", `1;\0\r\na\r\n0\r\n\r\n${inner}`),
    of("bare LF at the end", `1\r\na\r\n0\n\n${inner}`),
    of("a trailer without a colon", `0\r\nGET ${HIDDEN} HTTP/1.1\r\n\r\n`),
    of("a folded trailer", `0\r\nX-A: b\r\n Content-Length: 5\r\n\r\n${inner}`),
  ];
}

async function smuggle(world: World, ingress: Ingress, { fields, body }: Framing) {
  const place = placeFor(world, ingress);
  const seen = tap(world);
  const head = bytesOf(world, ingress, place, { method: "POST", path: "/outer" }).toString("latin1");
  const outcome = await sendBytes(
    world,
    ingress,
    place,
    Buffer.from(`${head.slice(0, -2)}${fields}\r\n${body}`),
  );
  return { outcome, lines: requestLines(seen.all()) };
}

const innerFor = (place: Place) => hidden(hostOf(place));

export const rows = [
  row({
    id: "04.1",
    class: CLASS,
    name: "A length with two readings is refused and the connection closed",
    ingresses: messageIngresses,
    async on({ world, ingress, check }) {
      for (const framing of ambiguousFramings(innerFor(placeFor(world, ingress)))) {
        const { outcome, lines } = await smuggle(world, ingress, framing);
        check(!lines.some((line) => line.includes(HIDDEN)), `${framing.what}: the hidden request arrived`);
        check(
          refused(outcome) && lines.length === 0,
          `${framing.what}: ${shown(outcome)}, ${lines.length} forwarded`,
        );
        check(outcome.closed && outcome.answers < 2, `${framing.what}: the connection was kept`);
      }
    },
  }),
  row({
    id: "04.2",
    class: CLASS,
    name: "Chunks with two readings never become a second request",
    ingresses: messageIngresses,
    async on({ world, ingress, check }) {
      for (const framing of ambiguousChunks(innerFor(placeFor(world, ingress)))) {
        const { outcome, lines } = await smuggle(world, ingress, framing);
        check(!lines.some((line) => line.includes(HIDDEN)), `${framing.what}: the hidden request arrived`);
        check(refused(outcome) && outcome.answers < 2, `${framing.what}: ${shown(outcome)}`);
      }
    },
  }),
  row({
    id: "04.3",
    class: CLASS,
    name: "A request line with two readings is refused",
    ingresses: messageIngresses,
    async on({ world, ingress, check }) {
      const place = placeFor(world, ingress);
      const good = bytesOf(world, ingress, place).toString("latin1");
      const [line = "", ...rest] = good.split("\r\n");
      const [method = "", target = ""] = line.split(" ");
      const lines = {
        "a tab for the first space": `${method}\t${target} HTTP/1.1`,
        "a tab for the second space": `${method} ${target}\tHTTP/1.1`,
        "a space in the target": `${method} ${target} x HTTP/1.1`,
        "a space in front": ` ${line}`,
        "bare CR in the target": `${method} ${target}\rx HTTP/1.1`,
        "bare LF as its end": `${line}\nX-A: b`,
        "NUL in the method": `G\0T ${target} HTTP/1.1`,
        "a further line in the target": `${method} ${target} HTTP/1.1\r\r\nX: y`,
      };
      for (const [what, written] of Object.entries(lines)) {
        const seen = tap(world);
        const outcome = await sendBytes(world, ingress, place, [written, ...rest].join("\r\n"));
        check(refused(outcome) && seen.all() === "", `${what}: ${shown(outcome)}`);
      }
    },
  }),
  row({
    id: "04.4",
    class: CLASS,
    name: "Bytes behind the end of a request are a request of their own, with their own decision",
    ingresses: messageIngresses,
    needs: ["control"],
    async on({ world, ingress, check }) {
      const place = placeFor(world, ingress);
      const seen = tap(world);
      const first = bytesOf(world, ingress, place, {
        method: "POST",
        path: "/outer",
        fields: ["Content-Length: 5"],
        body: "12345",
      });
      const denied = bytesOf(world, ingress, place, { path: "/admin/keys" });
      const outcome = await sendBytes(world, ingress, place, Buffer.concat([first, denied]));
      const lines = requestLines(seen.all());
      check(lines.length === 1 && lines[0] === "POST /outer HTTP/1.1", `forwarded: ${lines.join("; ")}`);
      check(outcome.status === 200, `the first one got ${shown(outcome)}`);
    },
  }),
  row({
    id: "04.5",
    class: CLASS,
    name: "A body that ends short is never filled up with another connection's bytes",
    ingresses: messageIngresses,
    async on({ world, ingress, check }) {
      const place = placeFor(world, ingress);
      const seen = tap(world);
      const opened = await open(world, ingress, authorityOf(place), place.host);
      if (!opened.ok) return check(false, "no way in");
      opened.socket.write(
        bytesOf(world, ingress, place, {
          method: "POST",
          path: "/short",
          fields: ["Content-Length: 100"],
          body: "12345",
        }),
      );
      await readUntil(opened.socket, () => false, SHORT_MS);
      opened.socket.destroy();
      const next = await sendBytes(world, ingress, place, bytesOf(world, ingress, place, { path: "/next" }));
      check(next.status === 200, `the next request got ${shown(next)}`);
      check(
        requestLines(seen.at(place)).includes("GET /next HTTP/1.1"),
        "the next request did not arrive as itself",
      );
      const isBehind = ({ rawBytes }: { rawBytes: Buffer }) =>
        /12345[^]*GET \/next/.test(rawBytes.toString("latin1"));
      check(!place.origin.connections.some(isBehind), "it arrived behind the unfinished body");
    },
  }),
];
