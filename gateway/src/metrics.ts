// /metrics in the Prometheus text format, read off the data plane's plain counters when asked.
import { Counter, Gauge, type Metric, Registry } from "prom-client";
import type { DataPlane } from "./proxy/plane.ts";

const STATUS_CLASSES = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

/** No label carries a host, path, agent or secret. */
export function createMetrics(plane: DataPlane): () => Promise<string> {
  const registry = new Registry();
  const add = (metric: Metric): void => registry.registerMetric(metric);
  const { traffic } = plane;
  const total = (name: string, help: string, value: () => number): void => {
    add(
      new Counter({
        name,
        help,
        registers: [],
        collect() {
          this.reset();
          this.inc(value());
        },
      }),
    );
  };
  const now = (name: string, help: string, value: () => number): void => {
    add(
      new Gauge({
        name,
        help,
        registers: [],
        collect() {
          this.set(value());
        },
      }),
    );
  };
  total("onecli_exchanges_total", "Requests that were forwarded", () => traffic.exchanges);
  total("onecli_injected_total", "Requests in which a secret was placed", () => traffic.injected);
  total("onecli_challenges_total", "407 answers", () => traffic.challenges);
  total("onecli_tunnels_total", "CONNECT tunnels that were opened", () => traffic.tunnels);
  total("onecli_request_bytes_total", "Body bytes from clients", () => traffic.requestBytes);
  total("onecli_response_bytes_total", "Body bytes to clients", () => traffic.responseBytes);
  now("onecli_tunnels_open", "Tunnels open now", () => plane.live.tunnels.size);
  now("onecli_exchanges_open", "Requests running now", () => plane.live.exchanges.size);
  now("onecli_origin_pools", "Pools of connections to origins", () => plane.pools.size);
  now("onecli_leaf_certificates_cached", "Certificates in the cache", () => plane.authority.cachedLeaves);
  now("onecli_audit_healthy", "1 = the last commit succeeded", () => (plane.audit.healthy ? 1 : 0));
  now("process_resident_memory_bytes", "Resident set size", () => process.memoryUsage.rss());
  labelled(add, plane);
  return () => registry.metrics();
}

function labelled(add: (metric: Metric) => void, { traffic }: DataPlane): void {
  add(
    new Counter({
      name: "onecli_refusals_total",
      help: "Requests that were refused or failed, by code",
      labelNames: ["code"],
      registers: [],
      collect() {
        this.reset();
        for (const [code, count] of traffic.refusals) this.inc({ code }, count);
      },
    }),
  );
  add(
    new Counter({
      name: "onecli_responses_total",
      help: "Answers to forwarded requests, by class of status",
      labelNames: ["class"],
      registers: [],
      collect() {
        this.reset();
        traffic.statusClasses.forEach((count, index) =>
          this.inc({ class: STATUS_CLASSES[index] ?? "none" }, count),
        );
      },
    }),
  );
}
