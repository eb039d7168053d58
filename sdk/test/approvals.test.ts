// Approvals against a small server that holds calls; the published SDK is put through the same cases as ours.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { OneCLI as Published } from "@onecli-sh/sdk";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { OneCLI } from "../src/index.ts";

interface Held {
  id: string;
  agent: { id: string; name: string; externalId: string };
  [member: string]: unknown;
}

let server: Server;
let url: string;
let held: Held[];
let decisions: [id: string, decision: string][];
let decisionStatus: number;

beforeEach(async () => {
  held = [];
  decisions = [];
  decisionStatus = 200;
  server = createServer((request, response) => {
    const target = new URL(request.url ?? "/", "http://x");
    const answer = (status: number, value: unknown) => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
    };
    if (target.pathname === "/v1/gateway-url") return answer(200, { url });
    if (target.pathname === "/v1/approvals/pending") {
      const exclude = (target.searchParams.get("exclude") ?? "").split(",");
      const requests = held.filter(({ id }) => !exclude.includes(id));
      setTimeout(() => answer(200, { requests, timeoutSeconds: 180 }), requests.length === 0 ? 20 : 0);
      return;
    }
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      const id = decodeURIComponent(target.pathname.split("/").at(-2) ?? "");
      decisions.push([id, (JSON.parse(body) as { decision: string }).decision]);
      held = held.filter((call) => call.id !== id);
      answer(decisionStatus, decisionStatus === 200 ? { success: true } : { error: "approval_expired" });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

function hold(id: string): void {
  held.push({
    id,
    projectId: "p",
    method: "DELETE",
    url: "https://api.test/x",
    host: "api.test",
    path: "/x",
    headers: {},
    bodyPreview: null,
    summary: null,
    agent: { id: "a", name: "A", externalId: "agent-a" },
    createdAt: "2026-01-01T00:00:00.000Z",
    expiresAt: "2026-01-01T00:03:00.000Z",
  });
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!condition() && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(condition()).toBe(true);
}

describe.each([
  ["ours", () => new OneCLI({ url, apiKey: "oc_1" })],
  ["the published one", () => new Published({ url, apiKey: "oc_1" })],
])("with %s, a held call", (_, client) => {
  test("is asked about once, with everything the decision needs, and decided", async () => {
    hold("one");
    hold("two");
    const asked: unknown[] = [];
    const handle = client().configureManualApproval(async (request) => {
      asked.push(request);
      return request.id === "one" ? "approve" : "deny";
    });
    await until(() => decisions.length === 2);
    handle.stop();
    expect(decisions.toSorted(([a], [b]) => a.localeCompare(b))).toEqual([
      ["one", "approve"],
      ["two", "deny"],
    ]);
    expect(asked).toHaveLength(2);
    expect(asked[0]).toMatchObject({ id: "one", timeoutSeconds: 180, agent: { externalId: "agent-a" } });
  });

  test("is not asked about again while its callback thinks", async () => {
    hold("slow");
    let asked = 0;
    const handle = client().configureManualApproval(async () => {
      asked += 1;
      await new Promise((resolve) => setTimeout(resolve, 300));
      return "approve";
    });
    await until(() => decisions.length === 1);
    handle.stop();
    expect(asked).toBe(1);
  });

  test("that is over already is let go", async () => {
    decisionStatus = 410;
    hold("late");
    const handle = client().configureManualApproval(async () => "approve");
    await until(() => decisions.length === 1);
    hold("next");
    await until(() => decisions.length === 2);
    handle.stop();
  });
});
