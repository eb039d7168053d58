// When a request may be sent a second time: an origin closed an idle connection just as the request left on it, so
// nobody has acted on it (RFC 9112 section 9.3.1, RFC 9110 section 9.2.2).
import type { Received } from "./receive.ts";

/** Safe methods (RFC 9110 section 9.2.1); nothing else is sent twice. */
const SAFE_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

/** To be asked only while no byte of an answer came. */
export function mayRepeat({ method, hasBody, isUpgrade }: Received, error: unknown): boolean {
  return SAFE_METHODS.has(method) && !hasBody && !isUpgrade && wasServingBefore(error);
}

/** The connection was closed, and it had carried an answer to an earlier request. */
function wasServingBefore(error: unknown): boolean {
  if (!(error instanceof Error) || !("code" in error)) return false;
  const { socket } = error as { socket?: { bytesRead?: number } };
  return error.code === "UND_ERR_SOCKET" && (socket?.bytesRead ?? 0) > 0;
}
