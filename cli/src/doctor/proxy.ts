// The proxy must turn away whoever brings no token: asked over a bare socket, because no client would.
import { connect } from "node:net";
import { type Finding, failed, ok, skipped } from "./report.ts";

const ANSWER_TIMEOUT_MS = 5_000;
const STATUS_LINE_BYTES_MAX = 1024;

export async function challengeFinding(proxy: string | undefined): Promise<Finding> {
  if (proxy === undefined || !URL.canParse(proxy)) {
    return failed("proxy", "container-config names no proxy", "is this a OneCLI gateway?");
  }
  const { hostname, port, protocol } = new URL(proxy);
  if (protocol !== "http:") return skipped("proxy", `${protocol} proxies are not asked`);
  const where = `${hostname}:${port}`;
  const line = await statusLine(hostname.replaceAll(/[[\]]/g, ""), Number(port || 80)).catch(() => undefined);
  if (line === undefined) {
    const fix =
      "is that port open on this host? ONECLI_PROXY_HOST and ONECLI_BIND_HOST of the gateway decide";
    return failed("proxy", `no answer at ${where}`, fix);
  }
  if (line.startsWith("HTTP/1.1 407")) return ok("proxy", `${where} asks for a token`);
  return failed(
    "proxy",
    `${where} answers ${JSON.stringify(line)} to a call without a token`,
    "is that the gateway?",
  );
}

function statusLine(host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: ANSWER_TIMEOUT_MS });
    let received = "";
    socket.on("connect", () => {
      socket.write("CONNECT doctor.onecli.test:443 HTTP/1.1\r\nHost: doctor.onecli.test:443\r\n\r\n");
    });
    socket.on("data", (data) => {
      received += data.toString("latin1");
      if (!received.includes("\r\n") && received.length < STATUS_LINE_BYTES_MAX) return;
      socket.destroy();
      resolve(received.split("\r\n", 1)[0] ?? "");
    });
    socket.on("timeout", () => socket.destroy(new Error("no answer in time")));
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("closed without an answer")));
  });
}
