// The published SDKs, unmodified, against the API on a real socket.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { OneCLI } from "@onecli-sh/sdk";
import { OneCLI as OneCLI05 } from "@onecli-sh/sdk-0.5";
import { describe, expect, test } from "vitest";
import { startGateway, type TestGateway } from "./test-gateway.ts";

async function listen(gateway: TestGateway): Promise<{ url: string } & AsyncDisposable> {
  const listener = getRequestListener((request) => gateway.api.fetch(request, { source: "127.0.0.1" }), {
    overrideGlobalObjects: false,
  });
  const server = createServer((request, response) => void listener(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const clients = [
  ["2.2.1, under /v1", OneCLI],
  ["0.5.0, under /api", OneCLI05],
] as const;

describe.each(clients)("the published SDK %s", (_, Client) => {
  test("makes an agent once and wires its container", async () => {
    await using gateway = await startGateway();
    await using server = await listen(gateway);
    const onecli = new Client({ url: server.url, apiKey: gateway.keys.admin });
    expect(await onecli.ensureAgent({ name: "Group", identifier: "group-1" })).toMatchObject({
      created: true,
    });
    expect(await onecli.ensureAgent({ name: "Group", identifier: "group-1" })).toMatchObject({
      created: false,
    });
    const args: string[] = [];
    expect(await onecli.applyContainerConfig(args, { agent: "group-1", addHostMapping: false })).toBe(true);
    expect(args[1]).toMatch(/^HTTPS_PROXY=http:\/\/x:aoc_[0-9a-f]{64}@host\.docker\.internal:10254$/);
    expect(args).toContain("NO_PROXY=localhost,127.0.0.1,::1");
    expect(args.some((arg) => arg.endsWith(":/tmp/onecli-gateway-ca.pem:ro"))).toBe(true);
  });

  test("is refused without a valid key", async () => {
    await using gateway = await startGateway();
    await using server = await listen(gateway);
    const onecli = new Client({ url: server.url, apiKey: `oc_${"0".repeat(64)}` });
    await expect(onecli.ensureAgent({ name: "Group", identifier: "group-1" })).rejects.toMatchObject({
      statusCode: 401,
    });
    expect(gateway.store.agents.list()).toEqual([]);
  });

  test("polls for approvals from its first call on", async () => {
    await using gateway = await startGateway();
    const polled: string[] = [];
    const watched: TestGateway["api"] = {
      ...gateway.api,
      fetch: (request, context) => {
        polled.push(new URL(request.url).pathname);
        return gateway.api.fetch(request, context);
      },
    };
    await using server = await listen({ ...gateway, api: watched });
    const onecli = new Client({ url: server.url, apiKey: gateway.keys.runner });
    const handle = onecli.configureManualApproval(async () => "deny");
    await expect.poll(() => polled.some((path) => path.endsWith("/approvals/pending"))).toBe(true);
    handle.stop();
  });
});
