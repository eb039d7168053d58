import { connect as connectTcp } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { afterEach, describe, expect, test } from "vitest";
import { type Origin, startOrigin } from "./origin.ts";

let origin: Origin | undefined;
afterEach(async () => {
  await origin?.close();
  origin = undefined;
});

const REQUEST = "POST /a?b HTTP/1.1\r\nHost: x\r\nX-One: 1\r\nContent-Length: 4\r\n\r\nbody";

describe.each([{ tls: true }, { tls: false }])("the test origin with tls=$tls", ({ tls }) => {
  test("records requests, their raw bytes and their connection", async () => {
    origin = await startOrigin({ tls, names: ["api.demo.test"] });
    const answer = await exchange(origin, tls, REQUEST);
    expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n/);
    const [request] = origin.requests;
    expect(request).toMatchObject({ method: "POST", url: "/a?b", body: Buffer.from("body") });
    expect(request?.rawHeaders.slice(0, 4)).toEqual(["Host", "x", "X-One", "1"]);
    expect(request?.rawBytes.toString()).toBe(REQUEST);
    expect(origin.receivedBytes).toBe(REQUEST.length);
    expect(origin.connections[0]?.serverName).toBe(tls ? "api.demo.test" : null);
  });

  test("answers raw bytes as given", async () => {
    origin = await startOrigin({ tls, names: ["api.demo.test"] });
    origin.respondRaw("HTTP/1.1 200 OK\nnot http");
    expect(await exchange(origin, tls, REQUEST)).toBe("HTTP/1.1 200 OK\nnot http");
    expect(origin.connections[0]?.rawBytes.toString()).toBe(REQUEST);
  });

  test("answers as the handler says", async () => {
    origin = await startOrigin({ tls, names: ["api.demo.test"] });
    origin.handle((_request, response, body) => response.writeHead(418).end(`got ${String(body)}`));
    expect(await exchange(origin, tls, REQUEST)).toMatch(/^HTTP\/1.1 418 [^]*got body/);
  });
});

async function exchange(origin: Origin, tls: boolean, bytes: string): Promise<string> {
  const address = { port: origin.port, host: "127.0.0.1" };
  const socket = tls
    ? connectTls({ ...address, ca: origin.ca, servername: "api.demo.test" })
    : connectTcp(address);
  socket.write(bytes);
  let answer = "";
  for await (const chunk of socket as TLSSocket) {
    answer += String(chunk);
    if (/ok|not http|got body/.test(answer)) break;
  }
  socket.destroy();
  return answer;
}
