// The OpenAPI 3.1 document, made from the endpoint table when it is first asked for.
import { endpoints, type Endpoint, problem } from "@onecli/sdk/contract";
import { z } from "zod";

let document: { version: string; value: object } | undefined;

export function openApiDocument(version: string): object {
  if (document?.version !== version) document = { version, value: describeApi(version) };
  return document.value;
}

function describeApi(version: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const [name, endpoint] of Object.entries<Endpoint>(endpoints)) {
    const path = endpoint.path.replaceAll(/:(\w+)/g, "{$1}");
    paths[path] = { ...paths[path], [endpoint.method.toLowerCase()]: describeOperation(name, endpoint) };
  }
  return {
    openapi: "3.1.0",
    info: { title: "OneCLI gateway", version },
    servers: [{ url: "/v1" }],
    paths,
    components: {
      schemas: { Problem: schemaOf(problem, "output") },
      securitySchemes: { apiKey: { type: "http", scheme: "bearer" } },
    },
  };
}

function describeOperation(name: string, endpoint: Endpoint): object {
  const { summary, roles, body, status } = endpoint;
  return {
    operationId: name,
    summary,
    ...(roles === null ? { security: [] } : { security: [{ apiKey: [] }], "x-roles": roles }),
    parameters: [...pathParameters(endpoint.path), ...queryParameters(endpoint.query)],
    ...(body !== undefined && { requestBody: { required: true, content: json(schemaOf(body, "input")) } }),
    responses: {
      [status]: { description: summary, ...contentOf(endpoint) },
      default: { description: "An error", content: json({ $ref: "#/components/schemas/Problem" }) },
    },
  };
}

function contentOf({ response, responseType }: Endpoint): object {
  if (responseType !== undefined) return { content: { [responseType]: { schema: { type: "string" } } } };
  return response === undefined ? {} : { content: json(schemaOf(response, "output")) };
}

function json(schema: object): object {
  return { "application/json": { schema } };
}

function pathParameters(path: string): object[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
}

function queryParameters(query: z.ZodType | undefined): object[] {
  if (query === undefined) return [];
  const { properties = {}, required = [] } = z.toJSONSchema(query, { io: "input", unrepresentable: "any" });
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: "query",
    required: required.includes(name),
    schema,
  }));
}

function schemaOf(schema: z.ZodType, io: "input" | "output"): object {
  const { $schema: _, ...described } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return described;
}
