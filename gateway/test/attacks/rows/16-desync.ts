// Answers with two readings: the next request never sees another's bytes.
import type { ServerResponse } from "node:http";
import { row } from "../row.ts";
import { bytesOf, open, readUntil, send, shown, takeIn } from "../wire.ts";
import { type Ingress, type World, authorityOf, messageIngresses, placeFor } from "../world.ts";

const CLASS = "desync";
const POISON = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nX-Poison: 1\r\n\r\nPOISON";
/** Time for bytes behind an answer to lie in wait on the origin's connection. */
const SETTLE_MS = 60;

const poisoned: Readonly<Record<string, string>> = {
  "a second answer": `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok${POISON}`,
  "a body longer than its length": `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokPOISON POISON`,
  "bytes behind the last chunk": `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n${POISON}`,
  "204 with a body": `HTTP/1.1 204 No Content\r\n\r\n${POISON}`,
  "304 with a length and a body": `HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n${POISON}`,
  "204 with a length": `HTTP/1.1 204 No Content\r\nContent-Length: ${POISON.length}\r\n\r\n${POISON}`,
  "an empty answer and another": `HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n${POISON}`,
};

/** None of these is an answer that a client may take for whole and good. */
const malformed: Readonly<Record<string, string>> = {
  "Content-Length beside chunked":
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
  "two lengths that differ": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
  "a list of lengths": "HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nok",
  "a negative length": "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
  "a length in hex": "HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nok",
  "a coding besides chunked":
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
  "a chunk size that is none": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n",
  "a chunked body cut short": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok",
  "a body cut short": "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok",
  "a space before the colon": "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok",
  "NUL in a field": "HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 2\r\n\r\nok",
  "a status of four digits": "HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok",
  "no HTTP at all": "SSH-2.0-OpenSSH_9.9\r\n\r\n",
  "a version to come": "HTTP/7.3 200 OK\r\nContent-Length: 2\r\n\r\nok",
  "a 101 that nobody asked for":
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nraw",
  "an endless run of 1xx": "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(500),
  nothing: "",
};

/** Answers one request with bytes, and all others as usual. */
function answerOnce(world: World, ingress: Ingress, bytes: string, ends: boolean): void {
  const { origin } = placeFor(world, ingress);
  origin.handle((request, response: ServerResponse) => {
    if (request.url !== "/desync") response.end(`fine ${request.url}`);
    else {
      request.socket.write(Buffer.from(bytes, "latin1"));
      if (ends) request.socket.end();
    }
  });
}

export const rows = [
  row({
    id: "16.1",
    class: CLASS,
    name: "Bytes behind an answer are never the answer to the next request",
    ingresses: messageIngresses,
    async on({ world, ingress, check }) {
      const place = placeFor(world, ingress);
      for (const [what, bytes] of Object.entries(poisoned)) {
        answerOnce(world, ingress, bytes, false);
        const opened = await open(world, ingress, authorityOf(place), place.host);
        if (!opened.ok) return check(false, "no way in");
        opened.socket.write(bytesOf(world, ingress, place, { path: "/desync" }));
        await readUntil(opened.socket, (text) => text.includes("\r\n\r\n"), SETTLE_MS * 5);
        await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
        if (!opened.socket.destroyed)
          opened.socket.write(bytesOf(world, ingress, place, { path: "/same-connection" }));
        const same = await takeIn(opened.socket, (text) => text.includes("fine"));
        const fresh = await send(world, ingress, place, { path: "/fresh-connection" });
        check(!/poison/i.test(same.text), `${what}: it answered the next request on the connection`);
        check(
          fresh.status === 200 && fresh.text.endsWith("fine /fresh-connection"),
          `${what}: the next connection got ${shown(fresh)}`,
        );
      }
    },
  }),
  row({
    id: "16.2",
    class: CLASS,
    name: "A malformed answer is an error for its client and nothing for others",
    ingresses: messageIngresses,
    async on({ world, ingress, check }) {
      const place = placeFor(world, ingress);
      for (const [what, bytes] of Object.entries(malformed)) {
        answerOnce(world, ingress, bytes, true);
        const outcome = await send(world, ingress, place, { path: "/desync" });
        check(outcome.status >= 500 || isCut(outcome.text, outcome.closed), `${what}: ${shown(outcome)}`);
        const next = await send(world, ingress, place, { path: "/after" });
        check(next.text.endsWith("fine /after"), `${what}: the next request got ${shown(next)}`);
      }
    },
  }),
  row({
    id: "16.3",
    class: CLASS,
    name: "An answer's fields can't write further fields or a second answer",
    ingresses: messageIngresses,
    async on({ world, ingress, check }) {
      const place = placeFor(world, ingress);
      const bytes = [
        "HTTP/1.1 200 O\rK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nX-A: b\rX-Split: 1\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nX-A: b\nX-Split: 1\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nX-A: b\r\n X-Split: 1\r\nContent-Length: 2\r\n\r\nok",
      ];
      for (const answer of bytes) {
        answerOnce(world, ingress, answer, true);
        const outcome = await send(world, ingress, place, { path: "/desync" });
        check(
          outcome.status >= 500 || !/\r(?!\n)|(?<!\r)\n|\r\nX-Split: 1/i.test(outcome.text),
          `${JSON.stringify(answer.slice(0, 40))} passed`,
        );
      }
    },
  }),
];

/** The client can tell that the answer is not whole: it ended before its length or last chunk. */
function isCut(text: string, closed: boolean): boolean {
  if (!closed) return false;
  const end = text.indexOf("\r\n\r\n");
  if (end === -1) return true;
  const length = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, end))?.[1];
  if (length !== undefined) return text.length < end + 4 + Number(length);
  return /\r\ntransfer-encoding: *chunked/i.test(text.slice(0, end)) && !text.endsWith("0\r\n\r\n");
}
