// The undici package: METHOD URL …, body from BODY_FILE; the answers' bodies on standard output, their status on standard error.
import { readFileSync } from "node:fs";
import process from "node:process";
import { EnvHttpProxyAgent, request } from "undici";

const [method, ...urls] = process.argv.slice(2);
const { BODY_FILE, DEMO_API_KEY } = process.env;
const dispatcher = new EnvHttpProxyAgent();
for (const url of urls) {
  const { statusCode, body } = await request(url, {
    dispatcher,
    method,
    headers: { authorization: `Bearer ${DEMO_API_KEY}` },
    ...(BODY_FILE === undefined ? {} : { body: readFileSync(BODY_FILE) }),
  });
  for await (const chunk of body) process.stdout.write(chunk);
  process.stderr.write(`status ${statusCode}\n`);
}
await dispatcher.close();
