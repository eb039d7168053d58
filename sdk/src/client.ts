// The client. Names and behaviour of its first group of methods are those of the published `@onecli-sh/sdk` 2.2.
import {
  type ApprovalRequest,
  type ManualApprovalCallback,
  type ManualApprovalHandle,
  pollApprovals,
} from "./approvals.ts";
import { call, type CallArguments, type CallInput, type CallOutput } from "./call.ts";
import { wireContainer, type WiringOptions } from "./container-wiring.ts";
import type { ContainerConfig, CreatedAgent, EndpointName } from "./contract/index.ts";
import { type CreateOptions, withWiring } from "./create-options.ts";
import { dockerArguments } from "./docker-arguments.ts";
import { readEnvironment } from "./environment.ts";
import { OneCLIError, OneCLIRequestError } from "./errors.ts";
import { agentCalls, apiKeyCalls, auditCalls, ruleCalls, secretCalls } from "./groups.ts";
import { type CallOptions, type Connection, exchange } from "./transport.ts";

export interface OneCLIOptions {
  /** default: ONECLI_API_KEY */
  readonly apiKey?: string | undefined;
  /** default: ONECLI_URL, else http://localhost:10254 */
  readonly url?: string | undefined;
  /** `ms` a call may take; default 5000 */
  readonly timeout?: number | undefined;
  /** where approvals are polled; default: ONECLI_GATEWAY_URL, else what the gateway answers */
  readonly gatewayUrl?: string | undefined;
  /** default: ONECLI_PROJECT_ID; this gateway has one project and ignores it */
  readonly projectId?: string | undefined;
  /** private directory for the files that containers mount; default: ~/.onecli/mounts */
  readonly filesDirectory?: string | undefined;
}

export interface RequestOptions {
  readonly projectId?: string | undefined;
}
export interface GetContainerConfigOptions extends RequestOptions {
  /** the agent's identifier; default: the default agent */
  readonly agent?: string | undefined;
}
export interface ApplyContainerConfigOptions extends GetContainerConfigOptions, WiringOptions {}
export type CreateAgentInput = CallInput<"createAgent">["body"];
export interface EnsureAgentResponse {
  readonly name: string;
  readonly identifier: string;
  readonly created: boolean;
}
export type { ApprovalRequest, ManualApprovalCallback, ManualApprovalHandle };

export const DEFAULT_URL = "http://localhost:10254";
export const DEFAULT_TIMEOUT_MS = 5_000;

export class OneCLI {
  readonly #connection: Connection;
  readonly #gatewayUrl: string | undefined;
  readonly #filesDirectory: string;

  constructor(options: OneCLIOptions = {}) {
    const environment = readEnvironment();
    this.#connection = {
      url: (options.url ?? environment.url ?? DEFAULT_URL).replace(/\/+$/, ""),
      apiKey: options.apiKey ?? environment.apiKey,
      timeoutMs: options.timeout ?? DEFAULT_TIMEOUT_MS,
      projectId: options.projectId ?? environment.projectId,
    };
    this.#gatewayUrl = options.gatewayUrl ?? environment.gatewayUrl;
    this.#filesDirectory = options.filesDirectory ?? environment.filesDirectory;
  }

  /** Any call of the contract: `client.call("updateRule", { params: { id }, body: { enabled: false } })`. */
  readonly call = <N extends EndpointName>(name: N, ...rest: CallArguments<N>): Promise<CallOutput<N>> =>
    call(this.#connection, name, ...rest);

  readonly agents = agentCalls(this.call);
  readonly secrets = secretCalls(this.call);
  readonly rules = ruleCalls(this.call);
  readonly audit = auditCalls(this.call);
  readonly apiKeys = apiKeyCalls(this.call);

  readonly createAgent = (body: CreateAgentInput, options?: RequestOptions): Promise<CreatedAgent> =>
    call(this.#connection, "createAgent", { body }, options);

  /** Creates the agent, or does nothing where one with this identifier exists. */
  readonly ensureAgent = async (
    input: CreateAgentInput,
    options?: RequestOptions,
  ): Promise<EnsureAgentResponse> => {
    const { name, identifier } = input;
    const created = await unlessStatus(409, this.createAgent(input, options));
    return { name, identifier, created: created !== undefined };
  };

  readonly getContainerConfig = (options: GetContainerConfigOptions = {}): Promise<ContainerConfig> => {
    const { agent, ...rest } = options;
    return call(this.#connection, "containerConfig", { query: { agent } }, rest);
  };

  /**
   * Pushes what a container needs onto the arguments of `docker run`. False, and nothing pushed, when the gateway
   * can't be reached or fails; a refusal (unknown agent, bad key) is thrown.
   */
  readonly applyContainerConfig = async (
    args: string[],
    options: ApplyContainerConfigOptions = {},
  ): Promise<boolean> => {
    const config = await this.#configUnlessDown(options);
    if (config === undefined) return false;
    args.push(...dockerArguments(await wireContainer(config, this.#filesDirectory, options)));
    return true;
  };

  /**
   * The same for dockerode: a copy of the create options with Env, HostConfig.Binds and HostConfig.ExtraHosts added,
   * or undefined when the gateway can't be reached or fails. The given object stays as it is.
   */
  readonly applyContainerConfigToCreateOptions = async <T extends CreateOptions>(
    createOptions: T,
    options: ApplyContainerConfigOptions = {},
  ): Promise<T | undefined> => {
    const config = await this.#configUnlessDown(options);
    if (config === undefined) return undefined;
    return withWiring(createOptions, await wireContainer(config, this.#filesDirectory, options));
  };

  /** Markdown that tells an agent how to behave behind the gateway. */
  readonly getGatewaySkill = (options?: RequestOptions): Promise<string> =>
    call(this.#connection, "gatewaySkill", {}, options);

  /** Asks the callback about every held call until the handle is stopped. */
  readonly configureManualApproval = (
    callback: ManualApprovalCallback,
    options?: RequestOptions,
  ): ManualApprovalHandle => pollApprovals(this.#connection, this.#gatewayUrl, callback, options);

  /** Published clients have it; a self-hosted gateway has no accounts to provision. */
  readonly provisionProject = async (input: object = {}, options?: CallOptions): Promise<never> => {
    const url = `${this.#connection.url}/v1/team/provisions`;
    await unlessStatus(404, exchange(this.#connection, { method: "POST", url, body: input }, options));
    throw new OneCLIError("this gateway is self-hosted and has one project: nothing to provision", {
      hint: "create an agent (ensureAgent), or a further key (client.apiKeys.create)",
    });
  };

  async #configUnlessDown(options: ApplyContainerConfigOptions): Promise<ContainerConfig | undefined> {
    const { agent, projectId } = options;
    try {
      return await this.getContainerConfig({ agent, projectId });
    } catch (error) {
      if (error instanceof OneCLIRequestError && isRefusal(error.statusCode)) throw error;
      return undefined;
    }
  }
}

function isRefusal(statusCode: number): boolean {
  return statusCode >= 400 && statusCode < 500;
}

async function unlessStatus<T>(statusCode: number, work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof OneCLIRequestError && error.statusCode === statusCode) return undefined;
    throw error;
  }
}
