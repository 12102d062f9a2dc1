// Who is interested in a key: single keys by lookup, ranges in an interval tree.
// Invariant: a lookup costs the logarithm of the distinct ranges and what it finds, never all that is registered.
import { IntervalTree } from '@flatten-js/interval-tree';
import { keyText } from './bytes.ts';
import type { KeyRange } from './contract.ts';

/** What we use of the package, whose own types do not resolve under `nodenext`. Its intervals are closed. */
interface Tree<V> {
  insert(interval: readonly [string, string], value: V): void;
  remove(interval: readonly [string, string], value: V): void;
  search(interval: readonly [string, string]): readonly V[];
}

/** All that registered the same range. */
interface Group<W> {
  readonly low: string;
  /** First text beyond the range. */
  readonly high: string;
  readonly members: Set<W>;
}

/** Later than every key: the texts of keys have no character beyond the 256 of bytes. */
const BEYOND = '\u{100}';

export class RangeIndex<W> {
  readonly #keys = new Map<string, Set<W>>();
  readonly #groups = new Map<string, Group<W>>();
  readonly #tree: Tree<Group<W>> = new IntervalTree();

  add(range: KeyRange, member: W): void {
    const low = keyText(range.key);
    if (range.end === undefined) {
      const members = this.#keys.get(low);
      if (members === undefined) this.#keys.set(low, new Set([member]));
      else members.add(member);
      return;
    }
    const high = range.end.length === 0 ? BEYOND : keyText(range.end);
    if (low >= high) return;
    const name = nameOf(low, high);
    const group = this.#groups.get(name);
    if (group !== undefined) {
      group.members.add(member);
      return;
    }
    const added = { low, high, members: new Set([member]) };
    this.#groups.set(name, added);
    this.#tree.insert([low, high], added);
  }

  /** Does nothing for a member that is not in it. */
  delete(range: KeyRange, member: W): void {
    const low = keyText(range.key);
    if (range.end === undefined) {
      const members = this.#keys.get(low);
      members?.delete(member);
      if (members?.size === 0) this.#keys.delete(low);
      return;
    }
    const high = range.end.length === 0 ? BEYOND : keyText(range.end);
    const name = nameOf(low, high);
    const group = this.#groups.get(name);
    if (group === undefined) return;
    group.members.delete(member);
    if (group.members.size > 0) return;
    this.#groups.delete(name);
    this.#tree.remove([low, high], group);
  }

  /** Calls `visit` for each member whose range covers the key. */
  visit(key: Uint8Array, visit: (member: W) => void): void {
    if (this.#keys.size === 0 && this.#groups.size === 0) return;
    const text = keyText(key);
    const alone = this.#keys.get(text);
    if (alone !== undefined) for (const member of alone) visit(member);
    if (this.#groups.size === 0) return;
    for (const group of this.#tree.search([text, text]))
      if (text < group.high) for (const member of group.members) visit(member);
  }
}

/** The length keeps two ranges apart whose texts run together. */
function nameOf(low: string, high: string): string {
  return `${low.length}:${low}${high}`;
}
