// A target that the suite must catch: http-mitm-proxy with the first injection that comes to mind. Runs as a process of
// its own and says its port.
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import type { LookupFunction } from "node:net";
import { Proxy } from "http-mitm-proxy";

const { ATTACK_CA_FILE = "", ATTACK_DIRECTORY = "", ATTACK_SECRET = "" } = process.env;
const SECRET_HOST = "api.attack.test";

const loopback: LookupFunction = (_name, options, callback) => {
  if (options.all === true) callback(null, [{ address: "127.0.0.1", family: 4 }]);
  else callback(null, "127.0.0.1", 4);
};

const proxy = new Proxy();
proxy.onError(() => undefined);
proxy.onRequest((context, next) => {
  const options = context.proxyToServerRequestOptions;
  if (options?.host === SECRET_HOST) options.headers["authorization"] = `Bearer ${ATTACK_SECRET}`;
  next();
});
proxy.listen(
  {
    host: "127.0.0.1",
    port: 0,
    sslCaDir: ATTACK_DIRECTORY,
    keepAlive: true,
    httpAgent: new http.Agent({ keepAlive: true, lookup: loopback }),
    httpsAgent: new https.Agent({ keepAlive: true, lookup: loopback, ca: readFileSync(ATTACK_CA_FILE) }),
  },
  (error) => {
    if (error !== null && error !== undefined) process.exit(1);
    process.stdout.write(`port ${proxy.httpPort}\n`);
  },
);
// It has no handler of its own for much of what it is sent.
process.on("uncaughtException", () => undefined);
process.on("disconnect", () => process.exit());
