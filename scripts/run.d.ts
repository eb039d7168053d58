/** Flags under which the gateway is run. */
export const gatewayFlags: readonly string[];
