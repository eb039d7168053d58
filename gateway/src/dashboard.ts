// The dashboard's files on the control plane's port.
import { createReadStream, existsSync, statSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import path from "node:path";
import { fileURLToPath } from "node:url";

const built = fileURLToPath(new URL("../../dashboard/dist/", import.meta.url));

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

const securityFields = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-cache",
};

const NOT_BUILT = `<!doctype html><meta charset="utf-8"><title>OneCLI gateway</title>
<h1>The gateway is running</h1>
<p>The dashboard is not built: run <code>npm run build</code> and reload. Everything can be done with the <code>onecli</code> command.</p>
`;

/** @param allowedHosts without ports: a page on another name must not read ours (DNS rebinding) */
export function serveDashboard(allowedHosts: readonly string[]) {
  return (request: IncomingMessage, answer: ServerResponse): boolean => {
    const target = (request.url ?? "").split("?", 1)[0] ?? "";
    if (isApi(target) || (request.method !== "GET" && request.method !== "HEAD")) return false;
    const host = (request.headers.host ?? "").replace(/:\d+$/, "").toLowerCase();
    if (!allowedHosts.includes(host)) return false;
    const file = fileOf(target);
    if (file !== null) send(request, answer, file);
    else if (isPage(target)) sendText(request, answer, NOT_BUILT);
    else return false;
    return true;
  };
}

function isApi(target: string): boolean {
  return /^\/((v1|api)(\/|$)|metrics$)/.test(target);
}

/** A page is a path without an extension; the router in the browser knows which. */
function isPage(target: string): boolean {
  return path.posix.extname(target) === "";
}

function fileOf(target: string): string | null {
  const wanted = isPage(target) ? "index.html" : target.slice(1);
  if (!/^[\w./-]+$/.test(wanted) || wanted.includes("..")) return null;
  const file = path.join(built, wanted);
  return existsSync(file) && statSync(file).isFile() ? file : null;
}

function send(request: IncomingMessage, answer: ServerResponse, file: string): void {
  const type = types[path.extname(file)] ?? "application/octet-stream";
  answer.writeHead(200, { ...securityFields, "content-type": type, "content-length": statSync(file).size });
  if (request.method === "HEAD") answer.end();
  else createReadStream(file).pipe(answer);
}

function sendText(request: IncomingMessage, answer: ServerResponse, text: string): void {
  answer.writeHead(200, {
    ...securityFields,
    "content-type": "text/html; charset=utf-8",
    "content-length": Buffer.byteLength(text),
  });
  answer.end(request.method === "HEAD" ? undefined : text);
}
