// What the origin serves beside small JSON; the load generator asks for it.
export const BULK_PATH = "/v1/bulk";
export const BULK_BYTES = 32 * 1024 * 1024;
export const EVENT_PATH = "/v1/events";
export const EVENT = 'event: delta\ndata: {"id":"msg_01","text":"ok"}\n\n';
/** from the only event to the end of its stream */
export const EVENT_WAIT_MS = 40;
