// What kind of address this is, by the IANA special-purpose address registries (RFC 6890, RFC 8190 and their updates).
// Only `public` is the Internet. What is not known to be public is reserved.
import { type AddressBytes, type Prefix, inPrefix, parseAddress, parsePrefix } from "./address.ts";

/** From the least to the most restricted; of several readings of one address the later one counts. */
const CLASSES = [
  "public",
  "documentation",
  "benchmark",
  "reserved",
  "cgnat",
  "private",
  "link-local",
  "loopback",
  "multicast",
  "unspecified",
  "metadata",
] as const;

export type AddressClass = (typeof CLASSES)[number];

export interface Classified {
  readonly family: 4 | 6;
  readonly class: AddressClass;
}

/** null when it is not a literal address, or has a zone id. */
export function classify(address: string): Classified | null {
  const bytes = parseAddress(address);
  return bytes === null ? null : { family: bytes.length === 4 ? 4 : 6, class: classOf(bytes) };
}

/** The IPv4 addresses that an IPv6 address carries, for which a translator or relay may be asked to stand in. */
export function embeddedAddresses(bytes: AddressBytes): AddressBytes[] {
  return EMBEDDINGS.filter(({ prefix }) => inPrefix(prefix, bytes)).flatMap(({ extract }) => extract(bytes));
}

/** Metadata services of clouds: whoever reaches them gets the machine's credentials. */
const METADATA = [
  "169.254.169.254", // AWS, Azure, Google Cloud, DigitalOcean, Oracle, OpenStack
  "169.254.170.2", // AWS ECS task credentials
  "169.254.170.23", // AWS EKS pod identity
  "169.254.0.23", // Tencent Cloud
  "169.254.42.42", // Scaleway
  "100.100.100.200", // Alibaba Cloud
  "168.63.129.16", // Azure WireServer, a public address
  "192.0.0.192", // Oracle Cloud, classic
  "fd00:ec2::254", // AWS
  "fd00:ec2::23", // AWS EKS pod identity
  "fd20:ce::254", // Google Cloud
  "fd00:42::42", // Scaleway
];

type Range = readonly [prefix: string, kind: AddressClass];

const IPV4_RANGES: readonly Range[] = [
  ["0.0.0.0/32", "unspecified"],
  ["0.0.0.0/8", "reserved"], // "this network", RFC 791
  ["10.0.0.0/8", "private"], // RFC 1918
  ["100.64.0.0/10", "cgnat"], // RFC 6598
  ["127.0.0.0/8", "loopback"], // RFC 1122 3.2.1.3
  ["169.254.0.0/16", "link-local"], // RFC 3927
  ["172.16.0.0/12", "private"], // RFC 1918
  ["192.0.0.0/24", "reserved"], // IETF protocol assignments, RFC 6890
  ["192.0.2.0/24", "documentation"], // RFC 5737
  ["192.88.99.0/24", "reserved"], // 6to4 relay anycast, deprecated by RFC 7526
  ["192.168.0.0/16", "private"], // RFC 1918
  ["198.18.0.0/15", "benchmark"], // RFC 2544
  ["198.51.100.0/24", "documentation"], // RFC 5737
  ["203.0.113.0/24", "documentation"], // RFC 5737
  ["224.0.0.0/4", "multicast"], // RFC 5771
  ["255.255.255.255/32", "multicast"], // limited broadcast, RFC 919
  ["240.0.0.0/4", "reserved"], // RFC 1112
  ["0.0.0.0/0", "public"],
];

const IPV6_RANGES: readonly Range[] = [
  ["::/128", "unspecified"], // RFC 4291
  ["::1/128", "loopback"], // RFC 4291
  ["::ffff:0:0/96", "public"], // IPv4-mapped: judged by what it carries
  ["64:ff9b::/96", "public"], // NAT64, RFC 6052: judged by what it carries
  ["64:ff9b:1::/48", "private"], // local-use translation, RFC 8215
  ["100::/64", "reserved"], // discard-only, RFC 6666
  ["2001:2::/48", "benchmark"], // RFC 5180
  ["2001::/23", "reserved"], // IETF protocol assignments: Teredo, ORCHID, ORCHIDv2 and others, RFC 2928
  ["2001:db8::/32", "documentation"], // RFC 3849
  ["2002::/16", "reserved"], // 6to4, RFC 3056: no origin is served there
  ["3fff::/20", "documentation"], // RFC 9637
  ["5f00::/16", "reserved"], // SRv6 SIDs, RFC 9602
  ["fc00::/7", "private"], // unique local, RFC 4193
  ["fe80::/10", "link-local"], // RFC 4291
  ["fec0::/10", "private"], // site-local, deprecated by RFC 3879
  ["ff00::/8", "multicast"], // RFC 4291
  ["2000::/3", "public"], // global unicast: the rest is not allocated (RFC 4291 2.4)
  ["::/0", "reserved"],
];

const RANGES = [
  ...METADATA.map((address): Range => [address, "metadata"]),
  ...IPV4_RANGES,
  ...IPV6_RANGES,
].map(([prefix, kind]) => ({ prefix: prefixOf(prefix), kind }));

interface Embedding {
  readonly prefix: Prefix;
  readonly extract: (bytes: AddressBytes) => AddressBytes[];
}

const EMBEDDINGS: readonly Embedding[] = [
  { prefix: prefixOf("::/96"), extract: last32 }, // IPv4-compatible, RFC 4291 2.5.5.1
  { prefix: prefixOf("::ffff:0:0/96"), extract: last32 }, // IPv4-mapped, RFC 4291 2.5.5.2
  { prefix: prefixOf("::ffff:0:0:0/96"), extract: last32 }, // IPv4-translated, RFC 2765
  { prefix: prefixOf("64:ff9b::/96"), extract: last32 }, // NAT64, RFC 6052
  { prefix: prefixOf("2002::/16"), extract: (bytes) => [bytes.subarray(2, 6)] }, // 6to4, RFC 3056
  { prefix: prefixOf("2001::/32"), extract: teredoServerAndClient },
];

/** RFC 4380 section 4: the server's address, and the client's with every bit inverted. */
function teredoServerAndClient(bytes: AddressBytes): AddressBytes[] {
  return [bytes.subarray(4, 8), bytes.subarray(12).map((byte) => byte ^ 0xff)];
}

function last32(bytes: AddressBytes): AddressBytes[] {
  return [bytes.subarray(12)];
}

function classOf(bytes: AddressBytes): AddressClass {
  const own = RANGES.find(({ prefix }) => inPrefix(prefix, bytes))?.kind ?? "reserved";
  if (own === "unspecified" || own === "loopback") return own;
  return embeddedAddresses(bytes).map(classOf).reduce(stricter, own);
}

function stricter(one: AddressClass, other: AddressClass): AddressClass {
  return CLASSES.indexOf(one) >= CLASSES.indexOf(other) ? one : other;
}

function prefixOf(text: string): Prefix {
  const prefix = parsePrefix(text);
  if (prefix === null) throw new TypeError(`${text} is not a prefix`);
  return prefix;
}
