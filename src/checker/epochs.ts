// Epochs in plain values: known by the name of their field, renumbered so that the space of states closes.
// Invariant: 0 ("none yet") stays 0, and of two epochs of one family the greater one stays the greater.

/** The family that an epoch belongs to. Only epochs of one family may be compared with each other by anyone. */
export type EpochFamily = (field: string, holder: Readonly<Record<string, unknown>>, part: string) => string;

/** Families live in bit masks: epoch n is bit n of one 32-bit number. */
export const MAX_EPOCH = 31;
export const MAX_FAMILIES = 8;

export const namesEpoch = (field: string): boolean => /epoch$/i.test(field);

export const isEpoch = (field: string, value: unknown): value is number =>
  typeof value === 'number' && namesEpoch(field);

export function isPlain(value: object): boolean {
  const proto: unknown = Object.getPrototypeOf(value);
  return proto === Object.prototype || proto === null;
}

/** Values that hold themselves would have no end. */
export const DEEPEST = 200;

function kindOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return `a ${typeof value}`;
  return `an instance of ${(value as { constructor?: { name?: string } }).constructor?.name ?? 'a class'}`;
}

export const tooDeep = (path: string): Error =>
  new Error(`${path.slice(0, 80)}… is nested more than ${DEEPEST} deep, or holds itself; keep it flat`);

export const notPlain = (path: string, value: unknown): Error =>
  new Error(
    `${path} is not plain data (${kindOf(value)}); keep only plain objects, arrays, texts, numbers and booleans there`,
  );

/**
 * A text that is the same for equal values, whatever the order of their fields. Fields that are undefined do not count.
 *
 * @throws Error that says where a value is not plain data (a function, a promise, an instance of a class)
 */
export function canonical(value: unknown, path = 'the value', depth = 0): string {
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (depth > DEEPEST) throw tooDeep(path);
  if (Array.isArray(value))
    return `[${value.map((item, i) => canonical(item, `${path}[${i}]`, depth + 1)).join()}]`;
  if (typeof value !== 'object' || !isPlain(value)) throw notPlain(path, value);
  const holder = value as Record<string, unknown>;
  const fields: string[] = [];
  for (const field of Object.keys(holder).sort()) {
    const item = holder[field];
    if (item === undefined) continue;
    fields.push(`${JSON.stringify(field)}:${canonical(item, `${path}.${field}`, depth + 1)}`);
  }
  return `{${fields.join()}}`;
}

/** The families of one system, numbered as they are met. */
export class Families {
  readonly names: string[] = [];
  readonly #index = new Map<string, number>();
  readonly #familyOf: EpochFamily;

  constructor(familyOf: EpochFamily = () => 'epoch') {
    this.#familyOf = familyOf;
  }

  /** @throws Error when there are more families, or greater epochs, than masks can hold */
  of(field: string, holder: Readonly<Record<string, unknown>>, part: string, epoch: number): number {
    if (!Number.isInteger(epoch) || epoch < 0 || epoch > MAX_EPOCH) {
      throw new Error(
        `${part} holds ${field} ${epoch}; epochs are whole numbers that grow in small steps (at most ${MAX_EPOCH} may be told apart at once): ` +
          'bound what is kept of old epochs, or rename the field if it is not an epoch',
      );
    }
    const name = this.#familyOf(field, holder, part);
    const known = this.#index.get(name);
    if (known !== undefined) return known;
    if (this.names.length === MAX_FAMILIES)
      throw new Error(`more than ${MAX_FAMILIES} families of epochs (${this.names.join(', ')}, ${name})`);
    this.#index.set(name, this.names.length);
    return this.names.push(name) - 1;
  }
}

/** True when the epochs in `mask` are 1, 2, 3 … without a gap (0 does not count). */
export function isDense(mask: number): boolean {
  const used = mask >>> 1;
  return (used & (used + 1)) === 0;
}

/** The bit of the lowest epoch that is missing in `mask` (0 does not count). */
export function firstGap(mask: number): number {
  const free = ~(mask | 1);
  return free & -free;
}

/** The new number of `epoch` among those in `mask`: how many of 1…epoch are in it. */
export function rank(mask: number, epoch: number): number {
  if (epoch === 0) return 0;
  let bits = mask & (epoch === MAX_EPOCH ? ~1 : (2 << epoch) - 2);
  let count = 0;
  for (; bits !== 0; bits &= bits - 1) count++;
  return count;
}

/** "The epochs of `family` that are in `mask` become 1, 2, 3 …" */
export interface Renumbering {
  readonly index: number;
  readonly family: number;
  readonly mask: number;
  /** For each family, as `Values.renumbered` takes them. */
  readonly masks: Int32Array;
}

/** All renumberings that were needed so far: few, since states are renumbered as soon as a gap appears. */
export class Renumberings {
  readonly #known = Array.from({ length: MAX_FAMILIES }, () => new Map<number, Renumbering>());
  #size = 0;

  of(family: number, mask: number): Renumbering {
    const ofFamily = this.#known[family] as Map<number, Renumbering>;
    let found = ofFamily.get(mask);
    if (found === undefined) {
      const masks = new Int32Array(MAX_FAMILIES);
      masks[family] = mask;
      found = { index: this.#size++, family, mask, masks };
      ofFamily.set(mask, found);
    }
    return found;
  }
}
