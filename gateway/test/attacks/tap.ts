// What reached the origins since a moment: raw application bytes, of all their connections.
import type { Origin, RecordedConnection } from "../support/origin.ts";
import { type Place, type World, placesOf } from "./world.ts";

export interface Tap {
  /** at one origin */
  at(place: Place): string;
  /** at all of them */
  all(): string;
}

/** Between connections, so that a request line is the first thing of its own. */
const BETWEEN = "\r\n\r\n";
const REQUEST_LINE = /^[A-Z]+ [^\r\n]* HTTP\/1\.[01]\r$/gm;

export function tap(world: World): Tap {
  const before = new Map<RecordedConnection, number>();
  const origins = new Set<Origin>(placesOf(world).map(({ origin }) => origin));
  for (const { connections } of origins)
    for (const connection of connections) before.set(connection, connection.rawBytes.length);
  const since = ({ connections }: Origin) =>
    connections
      .map((connection) => connection.rawBytes.subarray(before.get(connection) ?? 0).toString("latin1"))
      .filter((text) => text !== "")
      .join(BETWEEN);
  return {
    at: ({ origin }) => since(origin),
    all: () =>
      [...origins]
        .map(since)
        .filter((text) => text !== "")
        .join(BETWEEN),
  };
}

/** The request lines in the bytes that an origin got. */
export function requestLines(text: string): string[] {
  return (text.match(REQUEST_LINE) ?? []).map((line) => line.trimEnd());
}

/** Values of a field in the first request. */
export function fieldValues(text: string, name: string): string[] {
  const head = text.slice(0, text.indexOf("\r\n\r\n"));
  return head
    .split("\r\n")
    .slice(1)
    .filter((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`))
    .map((line) => line.slice(name.length + 1).trim());
}
