// Raw bytes at both ends of a gateway: broken requests from a client, broken answers from an origin. Found is: the process
// ends, a good call fails afterwards, an origin sees more than one request for one that was sent, or the value gets out.
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import {
  connectTo,
  openSecureTunnel,
  openTunnel,
  parseAnswer,
  readUntil,
  tunnelExchange,
  type Via,
} from "../support/client.ts";
import { startGateway } from "../support/gateway.ts";
import { startOrigin } from "../support/origin.ts";
import { createRandom, mutate, type Random } from "./mutate.ts";

const HOST = "fuzz.test";
export const VALUE = "fuzz-value-0123456789";
const ANSWER_MS_MAX = 400;
const CHECK_EVERY = 25;

export interface FuzzResult {
  readonly inputs: number;
  /** what went wrong, with the seed that shows it */
  readonly findings: readonly string[];
}

export interface FuzzOptions {
  readonly seed: number;
  readonly msMax: number;
  readonly inputsMax: number;
}

export async function fuzz({ seed, msMax, inputsMax }: FuzzOptions): Promise<FuzzResult> {
  const field = await openField();
  const findings: string[] = [];
  const until = performance.now() + msMax;
  let inputs = 0;
  try {
    while (performance.now() < until && inputs < inputsMax && findings.length < 10) {
      const inputSeed = seed + inputs;
      const problem = await field.tryOne(createRandom(inputSeed));
      inputs += 1;
      if (problem !== null) findings.push(`seed ${inputSeed}: ${problem}`);
      if (inputs % CHECK_EVERY === 0 && !(await field.isWell()))
        findings.push(`by seed ${inputSeed}: a good call fails`);
    }
  } finally {
    await field.close();
  }
  return { inputs, findings };
}

async function openField() {
  const origin = await startOrigin({ tls: true, names: [HOST] });
  const gateway = await startGateway({ origins: { [HOST]: { port: origin.port, ca: origin.ca } } });
  const agent = await gateway.agent("fuzzer");
  await gateway.secret({
    name: "Fuzz",
    type: "generic",
    value: VALUE,
    hostPattern: HOST,
    injectionConfig: { headerName: "Authorization", valueFormat: "Bearer {value}" },
  });
  const via: Via = { port: gateway.port, token: agent.token };
  const corpus = { requests: read("requests"), answers: read("answers") };
  return {
    async tryOne(random: Random): Promise<string | null> {
      const request = pick(corpus.requests, random);
      if (random.next(3) === 0) {
        origin.respondRaw(mutate(pick(corpus.answers, random), random));
        return leakIn(await send(via, request, 0));
      }
      origin.respondRaw(null);
      return leakIn(await send(via, mutate(request, random), random.next(3)));
    },
    async isWell(): Promise<boolean> {
      origin.respondRaw(null);
      const answer = await tunnelExchange(via, `${HOST}:443`, `GET /well HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
      return parseAnswer(answer).status === 200;
    },
    async close() {
      await gateway.stop();
      await origin.close();
    },
  };
}

/** @param way 0 = TLS in a tunnel, 1 = plain in a tunnel, 2 = straight at the port */
async function send(via: Via, bytes: Buffer, way: number): Promise<string> {
  const socket =
    way === 0
      ? await openSecureTunnel(via, `${HOST}:443`)
      : way === 1
        ? (await openTunnel(via, `${HOST}:443`)).socket
        : await connectTo(via.port);
  socket.on("error", () => undefined);
  socket.write(bytes);
  const answer = await readUntil(socket, (text) => /\r\n\r\n[^]*$/.test(text), ANSWER_MS_MAX);
  socket.destroy();
  return answer;
}

function leakIn(answer: string): string | null {
  return answer.includes(VALUE) ? "the value came back" : null;
}

function read(kind: string): Buffer[] {
  const folder = path.join(import.meta.dirname, "corpus", kind);
  return readdirSync(folder)
    .toSorted((a, b) => a.localeCompare(b))
    .map((file) => readFileSync(path.join(folder, file)));
}

function pick(list: readonly Buffer[], random: Random): Buffer {
  return list[random.next(list.length)] as Buffer;
}
