// Header fields on their way through (RFC 9110 section 7.6.1): hop-by-hop ones are removed from what the client
// sent before anything is injected, so that `Connection: authorization` can't take an injected field away.

/** Names, lower case, that belong to one connection or to this proxy. */
const requestHopByHop = new Set([
  "connection",
  "proxy-connection",
  "keep-alive",
  "te",
  "transfer-encoding",
  "upgrade",
  "proxy-authorization",
  "proxy-authenticate",
  "http2-settings",
  // rebuilt from the one authority
  "host",
  // answered here, never sent on
  "expect",
  // announces fields that are discarded: request trailers do not pass
  "trailer",
]);

const responseHopByHop = new Set([
  "connection",
  "proxy-connection",
  "keep-alive",
  "te",
  "transfer-encoding",
  "upgrade",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-authentication-info",
  // node:http throws at it wherever the body is not chunked; trailers pass without it (RFC 9110 section 6.6.2)
  "trailer",
  // would lead clients past the gateway (RFC 7838)
  "alt-svc",
  // ours alone: an origin must not put words in the gateway's mouth
  "x-onecli-hint",
]);

const none: ReadonlySet<string> = new Set();

/** Most names have a length that none of the set has: they need not be lower-cased to know. */
function lengthsOf(names: ReadonlySet<string>): readonly boolean[] {
  const longest = Math.max(...[...names].map((name) => name.length));
  const present = new Set([...names].map((name) => name.length));
  return Array.from({ length: longest + 1 }, (_, length) => present.has(length));
}
const requestLengths = lengthsOf(requestHopByHop);
const responseLengths = lengthsOf(responseHopByHop);

/** Client's fields without the hop-by-hop ones; duplicates and order kept, `Host` first. */
export function requestFields(raw: readonly string[], host: string): string[] {
  const named = connectionOptions(raw);
  const fields = ["Host", host];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] as string;
    if (requestLengths[name.length] === true && requestHopByHop.has(name.toLowerCase())) continue;
    if (named.size > 0 && named.has(name.toLowerCase())) continue;
    fields.push(name, raw[i + 1] as string);
  }
  return fields;
}

/** Origin's fields as they reach the client. undici hands them over as bytes, which are Latin-1 on the wire. */
export function responseFields(raw: readonly Buffer[] | readonly string[]): string[] {
  const fields: string[] = [];
  let named: ReadonlySet<string> = none;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = latin1(raw[i] as Buffer | string);
    if (responseLengths[name.length] === true) {
      const lower = name.toLowerCase();
      if (lower === "connection") named = optionsOf(latin1(raw[i + 1] as Buffer | string), named);
      if (responseHopByHop.has(lower)) continue;
    }
    fields.push(name, latin1(raw[i + 1] as Buffer | string));
  }
  return named.size === 0 ? fields : without(fields, named);
}

/** A transfer coding besides chunked is still on the body, and the field that names it does not pass. */
export function hasOtherCoding(raw: readonly Buffer[]): boolean {
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const isCoding =
      raw[i]?.length === 17 && raw[i]?.toString("latin1").toLowerCase() === "transfer-encoding";
    if (isCoding && raw[i + 1]?.toString("latin1").toLowerCase() !== "chunked") return true;
  }
  return false;
}

/** Node refuses to write what RFC 9112 section 4 does not allow; the phrase means nothing to anyone. */
export function reasonPhrase(written: string | undefined): string {
  return written !== undefined && /^[\t\x20-\x7e\x80-\xff]*$/.test(written) ? written : "";
}

/** As lists of two, for those of Node's functions that take no flat list. */
export function pairs(fields: readonly string[]): [string, string][] {
  const list: [string, string][] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) list.push([fields[i] as string, fields[i + 1] as string]);
  return list;
}

/** First value of a field; names are compared without case. */
export function fieldValue(raw: readonly string[], name: string): string | undefined {
  for (let i = 0; i + 1 < raw.length; i += 2) {
    if ((raw[i] as string).length === name.length && (raw[i] as string).toLowerCase() === name)
      return raw[i + 1];
  }
  return undefined;
}

export function fieldValues(raw: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    if ((raw[i] as string).length === name.length && (raw[i] as string).toLowerCase() === name)
      values.push(raw[i + 1] as string);
  }
  return values;
}

export function fieldCount(raw: readonly string[], name: string): number {
  let count = 0;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    if ((raw[i] as string).length === name.length && (raw[i] as string).toLowerCase() === name) count += 1;
  }
  return count;
}

function connectionOptions(raw: readonly string[]): ReadonlySet<string> {
  let named: ReadonlySet<string> = none;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] as string;
    if (name.length === 10 && name.toLowerCase() === "connection")
      named = optionsOf(raw[i + 1] as string, named);
  }
  return named;
}

function optionsOf(value: string, known: ReadonlySet<string>): ReadonlySet<string> {
  if (value === "keep-alive" || value === "close" || value === "Keep-Alive") return known;
  const options = value.split(",").map((option) => option.trim().toLowerCase());
  return new Set([...known, ...options.filter((option) => option !== "")]);
}

function without(fields: readonly string[], named: ReadonlySet<string>): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    if (!named.has((fields[i] as string).toLowerCase()))
      kept.push(fields[i] as string, fields[i + 1] as string);
  }
  return kept;
}

function latin1(value: Buffer | string): string {
  return typeof value === "string" ? value : value.toString("latin1");
}
