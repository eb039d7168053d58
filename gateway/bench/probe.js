// Loaded into every measured process by --import: says what the process has used so far. Plain JavaScript, so that the
// measured process does not load the type stripper for it.
process.on("message", ({ id, call }) => {
  if (call !== "usage") return;
  const { user, system } = process.cpuUsage();
  process.send({ id, result: { cpuUs: user + system, rss: process.memoryUsage.rss() } });
});
process.once("disconnect", () => process.exit());
