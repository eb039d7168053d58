// A set for things that come and go with every request. Unlike `Set`, whose deleted entries keep tables and their
// younger neighbours alive until it grows, adding and removing leave nothing behind.

export interface Enlisted {
  /** place in the roster; -1 = not in it */
  rosterIndex: number;
}

export class Roster<Member extends Enlisted> implements Iterable<Member> {
  readonly #members: Member[] = [];

  get size(): number {
    return this.#members.length;
  }

  add(member: Member): void {
    if (member.rosterIndex !== -1) return;
    member.rosterIndex = this.#members.push(member) - 1;
  }

  /** false = it was not in it */
  remove(member: Member): boolean {
    const { rosterIndex } = member;
    if (rosterIndex === -1) return false;
    const last = this.#members.pop() as Member;
    if (last !== member) {
      this.#members[rosterIndex] = last;
      last.rosterIndex = rosterIndex;
    }
    member.rosterIndex = -1;
    return true;
  }

  /** Over those that are in it now, whatever happens to them meanwhile. */
  [Symbol.iterator](): Iterator<Member> {
    return this.#members.slice()[Symbol.iterator]();
  }
}
