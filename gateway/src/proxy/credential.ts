// The request as it will leave, with the real values in it.
import type { Outgoing } from "../inject/contract.ts";
import type { Credential } from "../model.ts";
import { limits } from "../limits.ts";
import { formatAuthority } from "../target/authority.ts";
import type { Permitted } from "./enforce.ts";
import { requestFields } from "./fields.ts";
import type { DataPlane } from "./plane.ts";
import type { Received } from "./receive.ts";
import { type Refusal, refusal } from "./refusal.ts";

declare const credentialedMark: unique symbol;

/** A request ready to leave, not yet on record. Made here only. */
export interface Credentialed {
  readonly [credentialedMark]: true;
  readonly permitted: Permitted;
  readonly outgoing: Outgoing;
  readonly placed: readonly Credential[];
}

/** Calls `done` at once unless the body must be held whole first. */
export function credential(
  plane: DataPlane,
  permitted: Permitted,
  done: (result: Credentialed | Refusal) => void,
): void {
  const { received } = permitted.authenticated;
  const outgoing = createOutgoing(plane, received);
  if (outgoing === null) return done(refusal("proxy_loop_detected"));
  if (!received.hasBody || !plane.injector.needsBody(permitted.credentials))
    return done(inject(plane, permitted, outgoing));
  holdBody(received, (body) => {
    if ("refused" in body) return done(body);
    outgoing.body = body;
    done(inject(plane, permitted, outgoing));
  });
}

function inject(plane: DataPlane, permitted: Permitted, outgoing: Outgoing): Credentialed | Refusal {
  const { identity } = permitted.authenticated;
  const outcome = plane.injector.inject(identity.agent.id, permitted.credentials, outgoing);
  if (!outcome.ok) {
    const { code, message, secret } = outcome;
    return refusal(code, {
      message,
      detail: {
        secret,
        missing: secret === null ? "a secret for this host and path" : "a place for the fake key",
      },
    });
  }
  if (outgoing.body !== null) setContentLength(outgoing);
  return { permitted, outgoing, placed: outcome.placed } as unknown as Credentialed;
}

function createOutgoing(plane: DataPlane, received: Received): Outgoing | null {
  const host = formatAuthority(received.authority, received.secure ? 443 : 80);
  const fields = requestFields(received.request.rawHeaders, host);
  if (!appendVia(fields, plane.settings.viaPseudonym, received.request.httpVersion)) return null;
  return {
    method: received.method,
    path: received.target.path,
    query: received.target.query,
    fields,
    body: null,
  };
}

/** RFC 9110 section 7.6.3. False = this gateway is in the list already. */
function appendVia(fields: string[], pseudonym: string, version: string): boolean {
  for (let i = 0; i + 1 < fields.length; i += 2) {
    if (fields[i]?.length === 3 && fields[i]?.toLowerCase() === "via" && fields[i + 1]?.includes(pseudonym))
      return false;
  }
  fields.push("Via", `${version} ${pseudonym}`);
  return true;
}

function setContentLength(outgoing: Outgoing): void {
  const { fields, body } = outgoing;
  const kept: string[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    if ((fields[i] as string).toLowerCase() !== "content-length")
      kept.push(fields[i] as string, fields[i + 1] as string);
  }
  outgoing.fields = [...kept, "Content-Length", String(body?.length ?? 0)];
}

function holdBody({ request }: Received, done: (body: Buffer | Refusal) => void): void {
  const chunks: Buffer[] = [];
  let size = 0;
  const declared = Number(request.headers["content-length"] ?? 0);
  const tooLarge = () =>
    refusal("body_too_large", {
      message: `A body in which a secret is placed may have ${limits.bodyHeldBytesMax} bytes at most`,
      close: true,
    });
  if (declared > limits.bodyHeldBytesMax) return done(tooLarge());
  request.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size <= limits.bodyHeldBytesMax) chunks.push(chunk);
    else if (size - chunk.length <= limits.bodyHeldBytesMax) done(tooLarge());
  });
  request.on("end", () => {
    if (size <= limits.bodyHeldBytesMax) done(Buffer.concat(chunks));
  });
}
