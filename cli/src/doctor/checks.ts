// The doctor's checks in the order in which a call depends on them; what can't be checked is skipped, never passed.
import type { OneCLI } from "@onecli/sdk";
import type { Row } from "../command.ts";
import type { Context } from "../context.ts";
import { failureOf } from "../errors.ts";
import { clientOf } from "../settings.ts";
import { type Wired, wiredEnvironment } from "../wired-environment.ts";
import { caFinding } from "./certificate.ts";
import { fileFindings, nodeFinding } from "./host.ts";
import { challengeFinding } from "./proxy.ts";
import { type Finding, failed, ok, skipped } from "./report.ts";
import { type Probe, probeTools } from "./tools.ts";

export interface DoctorOptions {
  /** https address that tools call */
  readonly url: string;
  readonly agent: string | undefined;
}

export async function allChecks(
  context: Context,
  options: DoctorOptions,
): Promise<readonly (Finding & Row)[]> {
  const local = [nodeFinding(process.versions.node), ...(await fileFindings(context))];
  const client = await clientOf(context);
  const gateway = await attempt("gateway", async () => {
    const { version } = await client.call("health");
    return ok("gateway", `version ${version} answers`);
  });
  if (gateway.result !== "ok")
    return rows([...local, gateway, skipped("key, CA, proxy, tools", "no gateway")]);
  return rows([...local, gateway, ...(await keyed(context, client, options))]);
}

async function keyed(context: Context, client: OneCLI, options: DoctorOptions): Promise<Finding[]> {
  const key = await attempt("key", async () => {
    const { role } = await client.call("user");
    return ok("key", `works, role ${role}`);
  });
  if (key.result !== "ok") return [key, skipped("CA, proxy, tools", "no working key")];
  const ca = await attempt("CA", async () => caFinding(await client.call("gatewayCa"), Date.now()));
  return [key, ca, ...(await throughProxy(context, client, options))];
}

async function throughProxy(context: Context, client: OneCLI, options: DoctorOptions): Promise<Finding[]> {
  const wiring: { wired?: Wired } = {};
  const config = await attempt("container-config", async () => {
    wiring.wired = await wiredEnvironment(context, options.agent);
    return ok("container-config", `for ${options.agent ?? "the default agent"}`);
  });
  if (wiring.wired === undefined) return [config, skipped("proxy, tools", "no container-config")];
  const { wired } = wiring;
  const proxy = await attempt("proxy", () => challengeFinding(wired.set["HTTPS_PROXY"]));
  if (proxy.result !== "ok")
    return [config, proxy, skipped("tools", "the proxy does not answer as it should")];
  const probe: Probe = {
    url: options.url,
    env: wired.env,
    recorded: () => newestRecord(client, options.url),
  };
  return [config, proxy, ...(await probeTools(probe))];
}

/** Sequence number of the newest audit record about that host. */
async function newestRecord(client: OneCLI, url: string): Promise<number> {
  const { records } = await client.audit.list({ host: new URL(url).hostname, limit: 1 });
  return records[0]?.seq ?? 0;
}

/** A check that throws has failed, with the error's own advice. */
async function attempt(check: string, work: () => Promise<Finding>): Promise<Finding> {
  try {
    return await work();
  } catch (error) {
    const { error: detail, hint, action } = failureOf(error);
    return failed(check, detail, action ?? hint ?? "look at the gateway's log");
  }
}

function rows(findings: readonly Finding[]): readonly (Finding & Row)[] {
  return findings.map((finding) => ({ ...finding }));
}
