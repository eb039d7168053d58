// Node's own fetch: METHOD URL …, body from BODY_FILE; the answers' bodies on standard output, their status on standard error.
import { readFileSync } from "node:fs";
import process from "node:process";

const [method, ...urls] = process.argv.slice(2);
const { BODY_FILE, DEMO_API_KEY } = process.env;
for (const url of urls) {
  const response = await fetch(url, {
    method,
    headers: { authorization: `Bearer ${DEMO_API_KEY}` },
    ...(BODY_FILE === undefined ? {} : { body: readFileSync(BODY_FILE) }),
  });
  for await (const chunk of response.body ?? []) process.stdout.write(chunk);
  process.stderr.write(`status ${response.status}\n`);
}
