// Counters of the data plane: plain numbers, read by /metrics. No label carries a path, host or secret.

export interface Traffic {
  exchanges: number;
  refusals: Map<string, number>;
  challenges: number;
  tunnels: number;
  injected: number;
  requestBytes: number;
  responseBytes: number;
  /** exchanges by the class of the status that the client got: index 1 = 1xx … 5 = 5xx */
  readonly statusClasses: number[];
}

export function createTraffic(): Traffic {
  return {
    exchanges: 0,
    refusals: new Map(),
    challenges: 0,
    tunnels: 0,
    injected: 0,
    requestBytes: 0,
    responseBytes: 0,
    statusClasses: [0, 0, 0, 0, 0, 0],
  };
}
