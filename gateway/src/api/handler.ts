// What a handler gets and gives, typed from the endpoint table.
import type { endpoints, EndpointName } from "@onecli/sdk/contract";
import type { z } from "zod";
import type { ControlEvent } from "../audit/contract.ts";
import type { ApiKey } from "../model.ts";
import type { ApiParts } from "./contract.ts";

type Table = typeof endpoints;
type Parsed<K extends EndpointName, Member extends "query" | "body"> = Table[K] extends {
  readonly [M in Member]: infer Schema extends z.ZodType;
}
  ? z.output<Schema>
  : undefined;

export interface Call<K extends EndpointName> {
  /** parameters of the path; empty where the endpoint has none */
  readonly id: string;
  readonly tokenId: string;
  readonly query: Parsed<K, "query">;
  readonly body: Parsed<K, "body">;
  readonly key: ApiKey;
  /** the Host field */
  readonly host: string;
  /** the client is gone */
  readonly signal: AbortSignal;
}

export type Reply<K extends EndpointName> = Table[K] extends {
  readonly response: infer Schema extends z.ZodType;
}
  ? z.input<Schema>
  : Table[K] extends { readonly responseType: string }
    ? string
    : void;

export type Handler<K extends EndpointName> = (call: Call<K>) => Reply<K> | Promise<Reply<K>>;
export type Handlers<K extends EndpointName> = { readonly [Name in K]: Handler<Name> };

/** The change and its audit event are one transaction; then the data plane sees it. */
export function mutate<T>(parts: ApiParts, event: ControlEvent, work: () => T): T {
  const result = parts.store.transaction(() => {
    const value = work();
    parts.audit.control(event);
    return value;
  });
  parts.changed();
  return result;
}

/** Names of the members that a request changes; their values stay out of the audit. */
export function changedMembers(body: object): readonly string[] {
  return Object.entries(body).flatMap(([name, value]) => (value === undefined ? [] : [name]));
}

export function iso(ms: number): string {
  return new Date(ms).toISOString();
}
