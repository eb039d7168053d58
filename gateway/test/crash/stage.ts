// A gateway process, the witness behind it, one agent and the real credential: what the kill tests and the soak share.
import { randomUUID } from "node:crypto";
import { type GatewayProcess, startGatewayProcess } from "../support/process.ts";
import { type Load, type LoadOptions, startLoad } from "./load.ts";
import { startWitness, type Witness } from "./witness.ts";

export const HOST = "api.demo.test";

export interface Stage {
  readonly gateway: GatewayProcess;
  readonly witness: Witness;
  /** of the agent that calls */
  readonly token: string;
  /** every real value that was ever stored */
  readonly values: readonly string[];
  load(options: Pick<LoadOptions, "name" | "connections" | "kind" | "requests">): Load;
  /** Replaces the secret's value while calls go on. */
  renewSecret(): Promise<void>;
  close(): Promise<void>;
}

const newValue = () => `real-value-${randomUUID()}`;

export async function openStage(env: Readonly<Record<string, string>> = {}): Promise<Stage> {
  const values = [newValue()];
  const witness = await startWitness([HOST], `Bearer ${values[0]}`);
  const origins = { [HOST]: { port: witness.port, ca: witness.ca } };
  const gateway = await startGatewayProcess({ origins, env });
  const { token } = await gateway.agent("worker");
  const { id } = await gateway.api<{ id: string }>("POST", "/v1/secrets", {
    name: "Demo key",
    type: "generic",
    value: values[0],
    hostPattern: HOST,
    injectionConfig: { headerName: "Authorization", valueFormat: "Bearer {value}" },
  });
  const ca = await gateway.api<string>("GET", "/v1/gateway/ca");
  return {
    gateway,
    witness,
    token,
    values,
    load: (options) => startLoad({ port: () => gateway.port, token, ca, host: HOST, ...options }),
    async renewSecret() {
      const value = newValue();
      values.push(value);
      witness.credentials.add(`Bearer ${value}`);
      await gateway.api("PATCH", `/v1/secrets/${id}`, { value });
    },
    async close() {
      await gateway.close();
      await witness.close();
    },
  };
}

/** What the second set lacks of the first. */
export function missing(from: ReadonlySet<string>, inside: ReadonlySet<string>): string[] {
  return [...from].filter((id) => !inside.has(id));
}
