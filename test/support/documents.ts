// What the tests of the documents read: files of the checkout, code blocks, commands, links, tables.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../../", import.meta.url));

export const read = (file: string): string => readFileSync(path.join(root, file), "utf8");

/** Below the root, sorted; neither installed nor built files. */
export function documents(): string[] {
  const own = readdirSync(root, { recursive: true, encoding: "utf8" })
    .map((file) => file.split(path.sep).join("/"))
    .filter((file) => file.endsWith(".md") && !/(^|\/)(node_modules|dist|coverage|\.git)\//.test(file));
  return own.sort();
}

/** null = not a checkout, or no git here */
export function trackedFiles(): string[] | null {
  try {
    const output = execFileSync("git", ["ls-files", "-z"], {
      cwd: root,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    return output.split("\0").filter((file) => file !== "");
  } catch {
    return null;
  }
}

/** Targets of links to files, without their fragment. */
export function fileLinks(text: string): string[] {
  const prose = text.replaceAll(/^```[\s\S]*?^```/gm, "");
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = ""]) => target.replace(/#.*$/, ""))
    .filter((target) => target !== "" && !/^[a-z]+:/.test(target));
}

/** Lines of the fenced `sh` blocks; a backslash at the end goes on. */
export function commandLines(text: string): string[] {
  const blocks = [...text.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(([, block = ""]) => block);
  return blocks
    .flatMap((block) => block.replaceAll("\\\n", " ").split("\n"))
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}

/** Words of a simple command, quotes removed, up to a comment. */
export function words(line: string): string[] {
  const found = [...line.matchAll(/#.*$|(?:"[^"]*"|'[^']*'|[^\s"'#])+/g)].map(([word]) => word);
  const end = found.findIndex((word) => word.startsWith("#"));
  return found.slice(0, end === -1 ? undefined : end).map((word) => word.replaceAll(/["']/g, ""));
}

/** Arguments of every onecli call on the line: `npx onecli …`, `onecli …`, `docker compose exec gateway onecli …`. */
export function onecliCalls(line: string): string[][] {
  return line
    .split("|")
    .map(words)
    .filter((call) => /^(npx |docker compose exec \S+ )?onecli$/.test(commandOf(call)))
    .map((call) => call.slice(call.indexOf("onecli") + 1));
}

function commandOf(call: readonly string[]): string {
  return call.slice(0, call.indexOf("onecli") + 1).join(" ");
}

/** First and second cell of every table row whose first cell is code, as `name` and text. */
export function codeRows(text: string): Map<string, string> {
  const rows = [...text.matchAll(/^\| `([^`]+)` \| ([^|]*) \|/gm)];
  return new Map(rows.map(([, name = "", value = ""]) => [name, value.trim()]));
}
