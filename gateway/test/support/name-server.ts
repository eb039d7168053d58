// A real DNS server on loopback for tests (RFC 1035 section 4.1): answers A and AAAA as the test says, TTL 0.
import { type RemoteInfo, type Socket, createSocket } from "node:dgram";
import { Resolver } from "node:dns/promises";
import { isIPv4 } from "node:net";
import { addressBytes } from "./address-bytes.ts";

export interface NameServer {
  readonly port: number;
  /** names asked for, one entry a question */
  readonly questions: readonly string[];
  /** Through the server, A and AAAA together; fits the gateway's resolver as its `lookup`. */
  readonly lookup: (name: string) => Promise<string[]>;
  close(): Promise<void>;
}

/** @param answers addresses for the n-th time (from 0) that a name is looked up; null = no answer at all */
export async function startNameServer(
  answers: (name: string, time: number) => readonly string[] | null,
): Promise<NameServer> {
  const questions: string[] = [];
  const socket = createSocket("udp4");
  socket.on("message", (message, from) =>
    answer(socket, { message, from }, (name, type) => {
      const time = questions.filter((asked) => asked === `${type} ${name}`).length;
      questions.push(`${type} ${name}`);
      return answers(name, time)?.filter((address) => isIPv4(address) === (type === TYPE_A)) ?? null;
    }),
  );
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  const { port } = socket.address();
  return {
    port,
    questions,
    lookup: (name) => lookupAt(port, name),
    close: () => new Promise((resolve) => socket.close(resolve)),
  };
}

const TYPE_A = 1;
const TYPE_AAAA = 28;

async function lookupAt(port: number, name: string): Promise<string[]> {
  const resolver = new Resolver({ timeout: 5_000, tries: 1 });
  resolver.setServers([`127.0.0.1:${port}`]);
  const none = (error: NodeJS.ErrnoException): string[] => {
    if (error.code === "ENODATA") return [];
    throw error;
  };
  const [v4, v6] = await Promise.all([
    resolver.resolve4(name).catch(none),
    resolver.resolve6(name).catch(none),
  ]);
  return [...v4, ...v6];
}

interface Query {
  readonly message: Buffer;
  readonly from: RemoteInfo;
}

function answer(
  socket: Socket,
  { message, from }: Query,
  addressesOf: (name: string, type: number) => readonly string[] | null,
): void {
  const { name, end } = readName(message);
  const type = message.readUInt16BE(end);
  const addresses = addressesOf(name, type);
  if (addresses === null) return;
  const header = Buffer.from(message.subarray(0, 12));
  header.writeUInt16BE(0x8580, 2); // response, authoritative, recursion desired and available
  header.writeUInt16BE(addresses.length, 6);
  header.fill(0, 8);
  const question = message.subarray(12, end + 4);
  const records = addresses.map((address) => record(address));
  socket.send(Buffer.concat([header, question, ...records]), from.port, from.address);
}

function readName(message: Buffer): { name: string; end: number } {
  const labels: string[] = [];
  let offset = 12;
  for (let length = message.readUInt8(offset); length > 0; length = message.readUInt8(offset)) {
    labels.push(message.toString("latin1", offset + 1, offset + 1 + length));
    offset += 1 + length;
  }
  return { name: labels.join("."), end: offset + 1 };
}

function record(address: string): Buffer {
  const data = addressBytes(address);
  const fixed = Buffer.alloc(12);
  fixed.writeUInt16BE(0xc00c, 0); // the name in the question
  fixed.writeUInt16BE(data.length === 4 ? TYPE_A : TYPE_AAAA, 2);
  fixed.writeUInt16BE(1, 4); // class IN; the TTL stays 0
  fixed.writeUInt16BE(data.length, 10);
  return Buffer.concat([fixed, data]);
}
