import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");

export default {
  input: path.join(root, "gateway/src/main.ts"),
  platform: "node",
  // a native module stays where it was installed
  external: ["better-sqlite3"],
  resolve: { conditionNames: ["source", "node", "import", "default"] },
  output: { dir: path.join(root, "gateway/dist"), format: "esm", cleanDir: true },
};
