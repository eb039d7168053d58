// The control plane (NIST SP 800-162: PAP): host check, authentication, role, parsing, then one handler per endpoint.
import { endpoints, type Endpoint, type EndpointName } from "@onecli/sdk/contract";
import { Hono, type Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { ApiKey } from "../model.ts";
import { type Authenticator, createAuthenticator } from "./authenticate.ts";
import type { ApiParts } from "./contract.ts";
import type { Call, Handlers } from "./handler.ts";
import { createHandlers, inspections } from "./handlers.ts";
import { checkHost } from "./hosts.ts";
import { openApiDocument } from "./openapi.ts";
import { ApiError, forbidden } from "./problem.ts";
import { readRequest } from "./read-request.ts";

export interface Api {
  /** `source` is the client's address: failures to authenticate are counted by it. */
  fetch(request: Request, context: { readonly source: string }): Promise<Response>;
  /** Releases what is held, so that a stopping gateway does not wait for it. */
  close(): void;
}

interface Environment {
  Bindings: { readonly source: string };
  Variables: { host: string; key: ApiKey };
}
type App = Hono<Environment>;

export function createApi(parts: ApiParts): Api {
  const stopping = new AbortController();
  const authenticator = createAuthenticator({ apiKeys: parts.store.apiKeys, clock: parts.clock });
  const app = assemble(parts, authenticator, createHandlers(parts, stopping.signal));
  return {
    async fetch(request, context) {
      return withSecurityFields(await app.fetch(request, context));
    },
    close() {
      stopping.abort();
      authenticator.close();
    },
  };
}

function assemble(parts: ApiParts, authenticator: Authenticator, handlers: Handlers<EndpointName>): App {
  const app: App = new Hono();
  app.onError((error, context) => problem(parts, context, error));
  app.use(async (context, next) => {
    context.set("host", checkHost(context.req.raw.headers, parts.settings.allowedHosts));
    // No preflight ever succeeds, and it says nothing about which routes there are.
    if (context.req.method === "OPTIONS") throw methodNotAllowed();
    await next();
  });
  register(app, handlers, (endpoint) => endpoint.roles === null);
  app.use(async (context, next) => {
    const authorization = context.req.header("authorization") ?? null;
    context.set("key", await authenticator.authenticate(authorization, context.env.source));
    await next();
  });
  register(app, handlers, (endpoint) => endpoint.roles !== null);
  app.get("/metrics", async (context) => context.text(await parts.metrics()));
  app.get("/v1/openapi.json", (context) => context.json(openApiDocument(parts.settings.version)));
  return refuseTheRest(app);
}

/** After the endpoints: a path that one of them has, with another method; then everything else. */
function refuseTheRest(app: App): App {
  const known = new Set(Object.values<Endpoint>(endpoints).flatMap(pathsOf));
  for (const path of [...known, "/v1/openapi.json", "/metrics"]) {
    app.all(path, () => {
      throw methodNotAllowed();
    });
  }
  app.notFound(() => {
    throw new ApiError(404, { error: "there is no such route", code: "not_found" });
  });
  return app;
}

function register(
  app: App,
  handlers: Handlers<EndpointName>,
  include: (endpoint: Endpoint) => boolean,
): void {
  for (const [name, endpoint] of Object.entries<Endpoint>(endpoints)) {
    if (!include(endpoint)) continue;
    app.on(endpoint.method, pathsOf(endpoint), (context) =>
      serve(context, name as EndpointName, handlers[name as EndpointName] as AnyHandler),
    );
  }
}

type AnyHandler = (call: unknown) => unknown;

export function pathsOf(endpoint: Endpoint): string[] {
  const prefixes = endpoint.prefixes === "both" ? ["/v1", "/api"] : ["/v1"];
  return prefixes.map((prefix) => `${prefix}${endpoint.path}`);
}

async function serve(
  context: Context<Environment>,
  name: EndpointName,
  handler: AnyHandler,
): Promise<Response> {
  const endpoint: Endpoint = endpoints[name];
  requireRole(endpoint, context);
  const parsed = await readRequest(endpoint, context.req.raw, inspections[name]);
  const call: Omit<Call<EndpointName>, "query" | "body"> = {
    id: context.req.param("id") ?? "",
    tokenId: context.req.param("tokenId") ?? "",
    key: context.get("key"),
    host: context.get("host"),
    signal: context.req.raw.signal,
  };
  return reply(endpoint, await handler({ ...call, ...parsed }));
}

function requireRole({ roles }: Endpoint, context: Context<Environment>): void {
  if (roles === null || roles.includes(context.get("key").role)) return;
  throw forbidden(`this call needs a key with the role ${roles.join(" or ")}`);
}

function reply(endpoint: Endpoint, value: unknown): Response {
  if (value === undefined) return new Response(null, { status: endpoint.status });
  if (endpoint.responseType === undefined) return Response.json(value, { status: endpoint.status });
  return new Response(value as string, {
    headers: { "content-type": `${endpoint.responseType}; charset=utf-8` },
  });
}

function methodNotAllowed(): ApiError {
  return new ApiError(405, { error: "this route does not have that method", code: "method_not_allowed" });
}

function problem(parts: ApiParts, context: Context<Environment>, error: unknown): Response {
  if (error instanceof ApiError) {
    return context.json(error.body, error.status as ContentfulStatusCode, { ...error.fields });
  }
  parts.log("a handler of the API crashed", describeCrash(error, context.req.routePath));
  return context.json({ error: "internal error", code: "internal_error" }, 500);
}

/** A message may quote a value, so only the kind of the error and the places it went through are kept. */
function describeCrash(error: unknown, route: string): Record<string, string> {
  if (!(error instanceof Error)) return { route, kind: typeof error };
  const frames = (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  return { route, kind: error.name, stack: frames.slice(0, 10).join("\n") };
}

const securityFields = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
} as const;

function withSecurityFields(response: Response): Response {
  for (const [name, value] of Object.entries(securityFields)) response.headers.set(name, value);
  return response;
}
