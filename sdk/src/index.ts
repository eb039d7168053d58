// @onecli/sdk: the client, its errors, and what launchers of agents need. The wire's schemas are in @onecli/sdk/contract.
export * from "./client.ts";
export type { CallArguments, CallInput, CallOutput } from "./call.ts";
export { childEnvironment, type ChildFiles, withheldVariables } from "./child-environment.ts";
export type { WiringOptions } from "./container-wiring.ts";
export type { CreateOptions } from "./create-options.ts";
export { OneCLIError, OneCLIRequestError, type RequestFailure } from "./errors.ts";
export { type NamedContent, privateDirectory, privateFile } from "./private-files.ts";
export { combinedBundle, firstCertificate, systemRoots } from "./system-roots.ts";
export type { CallOptions } from "./transport.ts";
export type { ContainerConfig, EndpointName } from "./contract/index.ts";
