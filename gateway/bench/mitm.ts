// Peer: http-mitm-proxy, placing one header as the gateway does. Its CA and RSA keys are made before anything is measured.
import { readFileSync } from "node:fs";
import https from "node:https";
import path from "node:path";
import { Proxy } from "http-mitm-proxy";
import { answerParent } from "./parent.ts";
import { loopbackLookup, type PeerStart, type PeerStarted } from "./peer.ts";

function start({ caFile, credential, directory }: PeerStart): Promise<PeerStarted> {
  const proxy = new Proxy();
  proxy.onError(() => undefined);
  proxy.onRequest((context, next) => {
    const headers = context.proxyToServerRequestOptions?.headers;
    if (headers !== undefined) headers["authorization"] = credential;
    next();
  });
  // The default agent closes after each request, and knows neither the origin's authority nor its name.
  const httpsAgent = new https.Agent({ keepAlive: true, ca: readFileSync(caFile), lookup: loopbackLookup });
  return new Promise((resolve, reject) => {
    proxy.listen(
      { host: "127.0.0.1", port: 0, sslCaDir: directory, keepAlive: true, httpsAgent },
      (error) => {
        if (error !== null && error !== undefined) reject(error);
        else resolve({ port: proxy.httpPort, caFile: path.join(directory, "certs", "ca.pem") });
      },
    );
  });
}

answerParent({ start });
