// argv → program → exit code. The one place that ends the process.
import { processContext } from "./context.ts";
import { run } from "./program.ts";

// `onecli audit list | head` closes the pipe early: not a failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

const exitCode = await run(process.argv.slice(2), processContext());
process.stdout.write("", () => process.exit(exitCode));
