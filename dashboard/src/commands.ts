// What to type next, in the order of a first use. The same lines stand in the README, where they are tested.

export interface NextCommand {
  readonly purpose: string;
  readonly line: string;
}

export const nextCommands: readonly NextCommand[] = [
  { purpose: "Store a real key", line: "npx onecli secrets create --name Anthropic --type anthropic" },
  {
    purpose: "Name an agent",
    line: 'npx onecli agents create --name "My agent" --identifier my-agent',
  },
  { purpose: "Run it with a fake key", line: "npx onecli run --agent my-agent -- claude" },
  { purpose: "See what it did", line: "npx onecli audit list" },
  { purpose: "Check the set-up", line: "npx onecli doctor" },
];
