// Node's https and http modules: METHOD URL …, body from BODY_FILE; the answers' bodies on standard output, their status on standard error.
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import process from "node:process";

const [method, ...urls] = process.argv.slice(2);
const { BODY_FILE, DEMO_API_KEY } = process.env;

function call(url) {
  return new Promise((resolve, reject) => {
    const { request: start } = url.startsWith("https:") ? https : http;
    const request = start(url, { method, headers: { authorization: `Bearer ${DEMO_API_KEY}` } });
    request.on("error", reject).on("response", (response) => {
      response.on("data", (chunk) => process.stdout.write(chunk)).on("error", reject);
      response.on("end", () => {
        process.stderr.write(`status ${response.statusCode}\n`);
        resolve();
      });
    });
    request.end(BODY_FILE === undefined ? undefined : readFileSync(BODY_FILE));
  });
}

for (const url of urls) await call(url);
