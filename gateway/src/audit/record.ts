// The text of a record: canonical JSON with its members in a fixed order, because this text is what is hashed.
// Written by hand: one generic JSON.stringify of the object costs more than the rest of the row.
import { limits } from "../limits.ts";
import type { Closing, ControlEvent, Opening, RefusalEvent } from "./contract.ts";

/** Everything of a record behind its sequence number, which is known only when the row is written. */
export type Tail = string;

export function body(seq: number, tail: Tail): string {
  return `{"seq":${seq},${tail}`;
}

export function openTail(at: string, opening: Opening): Tail {
  return (
    `"type":"open","at":"${at}","exchangeId":${text(opening.exchangeId)},"agentId":${text(opening.agentId)}` +
    `,"agent":${text(opening.agent)},"tokenId":${text(opening.tokenId)},"method":${text(opening.method)}` +
    `,"scheme":"${opening.scheme}","authority":${text(opening.authority)},"path":${text(opening.path)}` +
    `,"rule":${textOrNull(opening.rule)},"secrets":${texts(opening.secrets)}` +
    `,"limits":${limitNames(opening)}}`
  );
}

export function closeTail(at: string, closing: Closing): Tail {
  return (
    `"type":"close","at":"${at}","exchangeId":${text(closing.exchangeId)},"status":${number(closing.status)}` +
    `,"outcome":"${closing.outcome}","error":${textOrNull(closing.error)}` +
    `,"requestBytes":${number(closing.requestBytes)},"responseBytes":${number(closing.responseBytes)}` +
    `,"headersMs":${number(closing.headersMs)},"totalMs":${number(closing.totalMs)}}`
  );
}

export function refusalTail(at: string, event: RefusalEvent): Tail {
  return (
    `"type":"refusal","at":"${at}","agentId":${textOrNull(event.agentId)},"agent":${textOrNull(event.agent)}` +
    `,"method":${text(event.method)},"authority":${text(event.authority)},"path":${text(event.path)}` +
    `,"code":${text(event.code)},"status":${number(event.status)},"rule":${textOrNull(event.rule)}}`
  );
}

/** 407s of about a second: how many in all, and from where. */
export function challengeTail(at: string, sources: ReadonlyMap<string, number>): Tail {
  let count = 0;
  for (const each of sources.values()) count += each;
  const bySource = JSON.stringify(Object.fromEntries(sources));
  return `"type":"challenge","at":"${at}","count":${count},"sources":${bySource}}`;
}

export function controlTail(at: string, event: ControlEvent): Tail {
  return (
    `"type":"control","at":"${at}","action":${text(event.action)},"actor":${text(event.actor)}` +
    `,"target":${textOrNull(event.target)},"detail":${JSON.stringify(event.detail)}}`
  );
}

function limitNames(opening: Opening): string {
  return opening.limits.length === 0 ? "[]" : texts(opening.limits.map((rule) => rule.name));
}

function texts(values: readonly string[]): string {
  return values.length === 0 ? "[]" : JSON.stringify(values);
}

function textOrNull(value: string | null): string {
  return value === null ? "null" : text(value);
}

/** Printable ASCII that JSON writes as it is; most values are. */
const PLAIN = /^[ !#-[\]-~]{0,256}$/;

/** JSON.stringify also escapes lone surrogates, so the text survives UTF-8 and hashes the same when read back. */
function text(value: string): string {
  if (PLAIN.test(value)) return `"${value}"`;
  if (value.length <= limits.auditTextCharactersMax) return JSON.stringify(value);
  return JSON.stringify(`${value.slice(0, limits.auditTextCharactersMax)}…`);
}

/** JSON has no NaN or Infinity. */
function number(value: number | null): string {
  return value !== null && Number.isFinite(value) ? String(value) : "null";
}
