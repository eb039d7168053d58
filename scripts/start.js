// npm start: builds what is missing or older than its sources, then becomes the gateway.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { gatewayProgram } from "./build-gateway.js";
import { become, binFile, currentNode, programArguments, root } from "./run.js";

const node = currentNode();
const dashboard = path.join(root, "dashboard");
if (!existsSync(path.join(dashboard, "dist", "index.html"))) {
  process.stdout.write("Building the dashboard, once …\n");
  const { status } = spawnSync(node, [binFile("vite"), "build", "--logLevel", "warn"], {
    cwd: dashboard,
    stdio: "inherit",
  });
  if (status !== 0)
    process.stderr.write("The dashboard could not be built; the gateway starts without it.\n");
}
become(node, [...programArguments(gatewayProgram()), ...process.argv.slice(2)]);
