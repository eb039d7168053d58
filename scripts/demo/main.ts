// npm run demo: the whole product in a few seconds, without internet and without set-up.
import { API_HOST, openWorld, type World } from "./world.ts";

const REAL_KEY = "real-key-that-no-agent-ever-sees-4711";
const AGENT = "demo-agent";

const say = (text = "") => process.stdout.write(`${text}\n`);
const title = (text: string) => say(`\n── ${text} ${"─".repeat(Math.max(0, 76 - text.length))}`);

async function main(): Promise<void> {
  const started = performance.now();
  title("1. A gateway and an API");
  const world = await openWorld();
  try {
    say(`gateway   ${world.url}   (temporary, everything below goes through it)`);
    say(`API       https://${API_HOST}   (local, real TLS, records what it gets)`);
    await setUp(world);
    await sideBySide(world);
    await blocked(world);
    await limited(world);
    await audit(world);
  } finally {
    await world.close();
  }
  say(`\nDone in ${((performance.now() - started) / 1000).toFixed(1)} s. Now yours: npm start`);
}

async function setUp({ client }: World): Promise<void> {
  title("2. One secret, one agent, two rules");
  await client.secrets.create({
    name: "Demo API",
    type: "generic",
    value: REAL_KEY,
    hostPattern: API_HOST,
    injectionConfig: { headerName: "Authorization", valueFormat: "Bearer {value}" },
    envName: "DEMO_API_KEY",
  });
  await client.agents.create({ name: "Demo agent", identifier: AGENT });
  await client.rules.create({
    name: "Nothing is deleted",
    hostPattern: API_HOST,
    method: "DELETE",
    action: "block",
  });
  await client.rules.create({
    name: "Two searches a minute",
    hostPattern: API_HOST,
    pathPattern: "/v1/search",
    action: "rate_limit",
    rateLimit: 2,
    rateLimitWindow: "minute",
  });
  say(`secret    "Demo API": Authorization: Bearer ${REAL_KEY} on ${API_HOST}`);
  say(`agent     ${AGENT}: gets a fake key in DEMO_API_KEY`);
  say("rules     DELETE is blocked, /v1/search twice a minute");
}

async function sideBySide(world: World): Promise<void> {
  title("3. What the agent sends, what the API receives");
  await compare(world, "curl", [
    "sh",
    "-c",
    `curl -sS -H "Authorization: Bearer $DEMO_API_KEY" https://${API_HOST}/v1/from-curl`,
  ]);
  await compare(world, "node", [
    "node",
    "-e",
    `fetch("https://${API_HOST}/v1/from-node",{headers:{authorization:"Bearer "+process.env.DEMO_API_KEY}}).then(r=>r.text()).then(console.log)`,
  ]);
}

async function compare(world: World, program: string, command: readonly string[]): Promise<void> {
  const { placeholders = [] } = await world.client.getContainerConfig({ agent: AGENT });
  const fake = placeholders.find(({ env }) => env === "DEMO_API_KEY")?.value ?? "?";
  const before = world.api.requests.length;
  const { stdout, stderr, code } = await world.onecli(["run", "--quiet", "--agent", AGENT, "--", ...command]);
  const received = world.api.requests[before];
  if (code !== 0 || received === undefined) throw new Error(`${program} failed: ${stderr}`);
  const index = received.rawHeaders.findIndex((name) => name.toLowerCase() === "authorization");
  say(`${program.padEnd(9)} ${received.method} https://${API_HOST}${received.url}`);
  say(`  agent sent     Authorization: Bearer ${fake}`);
  say(`  API received   Authorization: ${received.rawHeaders[index + 1]}`);
  say(`  agent got      ${stdout.trim()}`);
}

async function blocked(world: World): Promise<void> {
  title("4. A call that policy blocks");
  const before = world.api.requests.length;
  const answer = await curl(world, "-X DELETE", "/v1/accounts/1");
  say(answer);
  say(`  API received   ${world.api.requests.length - before === 0 ? "nothing" : "A REQUEST"}`);
}

async function limited(world: World): Promise<void> {
  title("5. A call that is limited");
  for (let call = 1; call <= 3; call += 1) say(`${call}. ${await curl(world, "", "/v1/search")}`);
}

async function curl(world: World, flags: string, target: string): Promise<string> {
  const line = `curl -sS ${flags} -w ' → %{http_code}' https://${API_HOST}${target}`;
  const { stdout } = await world.onecli(["run", "--quiet", "--agent", AGENT, "--", "sh", "-c", line]);
  const status = / → (\d+)$/.exec(stdout)?.[1] ?? "?";
  const body = JSON.parse(stdout.replace(/ → \d+$/, "")) as Record<string, string | undefined>;
  const what = body["error"] === undefined ? "ok" : `${body["error"]}: ${body["message"]}`;
  return `${flags === "" ? "GET" : "DELETE"} ${target}  ${status}  ${what}`;
}

async function audit(world: World): Promise<void> {
  title("6. What is on record");
  const { records } = await world.client.audit.list({ limit: 200 });
  const rows = records.toReversed() as unknown as Row[];
  const closings = new Map(rows.filter(({ type }) => type === "close").map((row) => [row.exchangeId, row]));
  for (const row of rows) {
    if (row.type !== "open" && row.type !== "refusal") continue;
    const outcome =
      row.type === "open" ? `${closings.get(row.exchangeId)?.status ?? ""}` : `${row.status} ${row.code}`;
    const call = `${row.method.padEnd(6)} ${row.authority}${row.path.padEnd(18)}`;
    say(
      `${row.at.slice(11, 19)}  ${row.agent}  ${call} ${outcome.padEnd(22)} ${row.secrets?.join(", ") ?? ""}`,
    );
  }
  const verified = await world.client.audit.verify();
  say(`hash chain: ${verified.valid ? "verified" : `BROKEN: ${verified.problem}`}, ${verified.records} rows`);
}

/** The members of audit rows that are shown. */
interface Row {
  readonly type: string;
  readonly at: string;
  readonly exchangeId: string;
  readonly agent: string;
  readonly method: string;
  readonly authority: string;
  readonly path: string;
  readonly status: number;
  readonly code: string;
  readonly secrets?: readonly string[];
}

main().catch((error: unknown) => {
  process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
