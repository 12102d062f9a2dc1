// Names of alike actors, exchanged in plain data: the ground that symmetry stands on.
// Invariant: only whole words are exchanged, so `node1` is not found in `node10`.

/** Groups of names, and how a part keeps its lists. */
export interface Symmetry {
  /**
   * Names that may be exchanged with each other: of actors and channels (`node1`), or words in their names (`a` in
   * `node a` and `up a`). They are exchanged wherever they stand: in states, contexts, messages and field names. A
   * number is no name. Up to 120 ways to exchange them (five names, or groups of three, three and two) leave exactly one
   * state for each set of states that differ in names alone; beyond, the reduction is partial: some sets leave more.
   */
  readonly groups: readonly (readonly string[])[];
  /**
   * Puts a list back into the order in which the system keeps it, after names in it were exchanged.
   * See `inNameOrder`. @default lists stay as they are
   */
  readonly arrange?: (list: readonly unknown[]) => readonly unknown[];
}

/** Replaces names in plain data. */
export type Rename = <T>(value: T) => T;

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** Exchanges two names in a text. */
export function exchange(one: string, other: string): (text: string) => string {
  const words = new RegExp(
    `(?<![\\p{L}\\p{N}_])(?:${escaped(one)}|${escaped(other)})(?![\\p{L}\\p{N}_])`,
    'gu',
  );
  return (text) => text.replace(words, (word) => (word === one ? other : one));
}

function isPlain(value: object): boolean {
  const proto: unknown = Object.getPrototypeOf(value);
  return proto === Object.prototype || proto === null;
}

/** The same in plain data: texts, names of fields, and all that is inside. */
export function renaming(ofText: (text: string) => string, arrange: Symmetry['arrange']): Rename {
  const rename = (value: unknown): unknown => {
    if (typeof value === 'string') return ofText(value);
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) {
      const list = value.map(rename);
      return arrange === undefined ? list : arrange(list);
    }
    if (!isPlain(value)) return value; // `canonical` says what is wrong with it
    return Object.fromEntries(Object.entries(value).map(([field, item]) => [ofText(field), rename(item)]));
  };
  return rename as Rename;
}

/**
 * An `arrange` for systems that keep their lists in the order of names. Without `field` it sorts lists of texts, with
 * it those lists whose items all have a text in that field; it leaves other lists as they are.
 */
export function inNameOrder(field?: string): NonNullable<Symmetry['arrange']> {
  const nameOf = (item: unknown): unknown => {
    if (field === undefined) return item;
    return typeof item === 'object' && item !== null ? (item as Record<string, unknown>)[field] : undefined;
  };
  return (list) => {
    if (!list.every((item) => typeof nameOf(item) === 'string')) return list;
    return list.toSorted((a, b) => {
      const [one, other] = [nameOf(a) as string, nameOf(b) as string];
      return one < other ? -1 : one > other ? 1 : 0;
    });
  };
}
