// Where the gateway is and which key to use: environment first, then ~/.onecli. Files are for this user only.
import { chmod, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { DEFAULT_URL, OneCLI } from "@onecli/sdk";
import type { Context } from "./context.ts";
import { CliError, usageError } from "./errors.ts";

export interface Settings {
  readonly url: string;
  readonly apiKey: string | undefined;
  readonly apiKeySource: "environment" | "file" | "none";
}

const CALL_TIMEOUT_MS = 30_000;

export async function readSettings(context: Context): Promise<Settings> {
  const fromEnvironment = set(context.env["ONECLI_API_KEY"]);
  const fromFile = fromEnvironment === undefined ? await savedKey(context) : undefined;
  return {
    url: await apiHost(context),
    apiKey: fromEnvironment ?? fromFile,
    apiKeySource: fromEnvironment ? "environment" : fromFile === undefined ? "none" : "file",
  };
}

export async function clientOf(context: Context, apiKey?: string): Promise<OneCLI> {
  const settings = await readSettings(context);
  return new OneCLI({
    url: settings.url,
    apiKey: apiKey ?? settings.apiKey ?? "",
    timeout: CALL_TIMEOUT_MS,
    filesDirectory: path.join(onecliDirectory(context), "mounts"),
  });
}

export async function apiHost(context: Context): Promise<string> {
  const { ONECLI_API_HOST, ONECLI_URL } = context.env;
  const value = set(ONECLI_API_HOST) ?? set(ONECLI_URL) ?? (await readConfig(context))["api-host"];
  return value === undefined ? DEFAULT_URL : checkedUrl(value);
}

export function checkedUrl(value: string): string {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.search !== "") {
    throw usageError(
      `${JSON.stringify(value)} is not the address of a gateway`,
      `write it like ${DEFAULT_URL}`,
    );
  }
  return value.replace(/\/+$/, "");
}

export type Config = Readonly<Partial<Record<"api-host", string>>>;

export async function readConfig(context: Context): Promise<Config> {
  const content = await contentOf(configFile(context));
  if (content === undefined) return {};
  const value = memberOf(parsed(content, configFile(context)), "api-host");
  if (value === undefined) return {};
  if (typeof value === "string") return { "api-host": value };
  throw new CliError(`${configFile(context)}: "api-host" is not text`, { hint: "mend or delete it" });
}

function parsed(content: string, file: string): unknown {
  try {
    return JSON.parse(content);
  } catch {
    throw new CliError(`${file} is not JSON`, { hint: "mend or delete it" });
  }
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

export async function writeConfig(context: Context, config: Config): Promise<void> {
  await writePrivate(configFile(context), `${JSON.stringify(config, null, 2)}\n`);
}

export async function saveKey(context: Context, apiKey: string): Promise<void> {
  await writePrivate(keyFile(context), `${apiKey}\n`);
}

export async function forgetKey(context: Context): Promise<void> {
  await rm(keyFile(context), { force: true });
}

export const onecliDirectory = (context: Context): string => path.join(context.home, ".onecli");
export const configFile = (context: Context): string => path.join(onecliDirectory(context), "config.json");
export const keyFile = (context: Context): string =>
  path.join(onecliDirectory(context), "credentials", "api-key");

async function savedKey(context: Context): Promise<string | undefined> {
  return set((await contentOf(keyFile(context)))?.trim());
}

async function contentOf(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new CliError(`cannot read ${file}`, { hint: "check its owner and permissions" });
  }
}

/** Written beside and renamed: never half a key, and never for a moment readable by others. */
async function writePrivate(file: string, content: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  await chmod(path.dirname(file), 0o700);
  const draft = `${file}.${process.pid}`;
  await rm(draft, { force: true });
  await writeFile(draft, content, { mode: 0o600, flag: "wx" });
  await rename(draft, file);
}

function set(value: string | undefined): string | undefined {
  return value === undefined || value.trim() === "" ? undefined : value.trim();
}
