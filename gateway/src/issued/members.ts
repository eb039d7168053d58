// The members of a JSON text's objects and where their values stand, so that single values can be replaced and the
// rest stays byte for byte: parsing and writing it again would change large numbers and the order of members.

export interface Member {
  readonly name: string;
  /** the same for all members of one object */
  readonly object: number;
  /** as written; of an object or array its first character */
  readonly text: string;
  /** position of the value's first character */
  readonly start: number;
}

/** null = not JSON (RFC 8259), or a name stands twice in one object: readers differ on which of them counts */
export function membersOf(text: string): readonly Member[] | null {
  if (!isJson(text)) return null;
  const scan: Scan = { members: [], open: [], objects: 0 };
  for (const match of text.matchAll(JSON_TOKEN)) {
    if (!step(scan, match[0], match.index)) return null;
  }
  return scan.members;
}

interface Scan {
  readonly members: Member[];
  /** objects and arrays around, the innermost last */
  readonly open: Open[];
  objects: number;
}

interface Open {
  readonly object: number;
  /** undefined = an array */
  readonly names: Set<string> | undefined;
  /** of the member whose value comes next */
  name: string | null;
}

/** Enough for a text that is known to be JSON. Linear: no alternative begins like another. */
const JSON_TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

/** false = a name stands twice */
function step(scan: Scan, token: string, start: number): boolean {
  const inner = scan.open.at(-1);
  if (token === "," || token === ":") return true;
  if (token === "}" || token === "]") scan.open.pop();
  else if (inner?.names !== undefined && inner.name === null)
    return takeName(inner, JSON.parse(token) as string);
  else takeValue(scan, token, start);
  return true;
}

function takeValue(scan: Scan, text: string, start: number): void {
  const { members, open } = scan;
  const object = open.at(-1);
  if (object !== undefined && object.name !== null) {
    members.push({ name: object.name, object: object.object, text, start });
    object.name = null;
  }
  if (text === "{") open.push({ object: (scan.objects += 1), names: new Set(), name: null });
  else if (text === "[") open.push({ object: 0, names: undefined, name: null });
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function takeName(object: Open, name: string): boolean {
  if (object.names?.has(name)) return false;
  object.names?.add(name);
  object.name = name;
  return true;
}
