export * from "./common.ts";
export * from "./agents.ts";
export * from "./secrets.ts";
export * from "./rules.ts";
export * from "./container-config.ts";
export * from "./operations.ts";
export { endpoints, type Endpoint, type EndpointName } from "./endpoints.ts";
