// The child's side of child.ts: answers what the run asks over IPC, and never outlives it.

export type Handlers = Readonly<Record<string, (args: never) => unknown>>;

interface Call {
  readonly id: number;
  readonly call: string;
  readonly args: unknown;
}

/** May be called by several modules of one process; a call that none of them knows is never answered. */
export function answerParent(handlers: Handlers): void {
  process.on("message", (message) => {
    const { id, call, args } = message as Call;
    const handler = handlers[call];
    if (handler === undefined) return;
    run(handler, args).then(
      (result) => process.send?.({ id, result }),
      (error: unknown) =>
        process.send?.({ id, error: error instanceof Error ? (error.stack ?? "") : "failed" }),
    );
  });
  process.once("disconnect", () => process.exit());
}

async function run(handler: (args: never) => unknown, args: unknown): Promise<unknown> {
  return await handler(args as never);
}
