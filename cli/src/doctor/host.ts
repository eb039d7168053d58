// What this host must bring: a Node that is new enough, files that only their owner reads.
import { lstat } from "node:fs/promises";
import path from "node:path";
import type { Context } from "../context.ts";
import { configFile, keyFile } from "../settings.ts";
import { type Finding, failed, ok, skipped } from "./report.ts";

/** commander 15 */
const NODE_MIN = [22, 12] as const;
const OTHERS_MASK = 0o077;

export function nodeFinding(version: string): Finding {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isCurrent = major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1]);
  const needed = NODE_MIN.join(".");
  if (isCurrent) return ok("Node", `${version} runs this program`);
  return failed(
    "Node",
    `${version} is older than ${needed}`,
    "install a current one from https://nodejs.org",
  );
}

export async function fileFindings(context: Context): Promise<Finding[]> {
  if (process.platform === "win32") return [skipped("files", "Windows keeps permissions otherwise")];
  const files = [path.dirname(keyFile(context)), keyFile(context), configFile(context)];
  return Promise.all(files.map(fileFinding));
}

async function fileFinding(file: string): Promise<Finding> {
  const found = await lstat(file).catch(() => undefined);
  if (found === undefined) return skipped(file, "not there");
  if (found.isSymbolicLink()) return failed(file, "is a symbolic link", "put the file itself there");
  if (found.uid !== process.getuid?.())
    return failed(file, "belongs to another user", `chown it, or delete it`);
  if ((found.mode & OTHERS_MASK) !== 0) {
    return failed(file, "others may open it", `chmod ${found.isDirectory() ? "700" : "600"} ${file}`);
  }
  return ok(file, "for you only");
}
