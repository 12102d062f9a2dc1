// Plain values that repeat, whole or in pieces: equal ones have one number, and pieces that were met are not read again.
// (Hash consing, as Lisp systems call it after Ershov's "On programming of arithmetic operations", 1958. The objects
// themselves stay as they came: two that are equal must not become one, since a model may copy its state and change it.)
// Invariant: an object that was remembered never changes.
import { DEEPEST, isEpoch, isPlain, namesEpoch, notPlain, rank, tooDeep } from './epochs.ts';
import type { Kinds } from './kinds.ts';

export interface Numbered {
  readonly number: number;
  /** Which epochs it holds. */
  readonly kind: number;
  /** Characters of its text, to notice what grows. */
  readonly length: number;
}

/** Which family an epoch belongs to. */
export type FamilyOf = (field: string, holder: Readonly<Record<string, unknown>>, epoch: number) => number;

interface Field {
  readonly name: string;
  readonly text: string;
  readonly isEpoch: boolean;
}

/** How objects with these fields are written: sorted by name. */
interface Fields {
  readonly given: readonly string[];
  readonly sorted: readonly Field[];
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

export class Values {
  readonly #kinds: Kinds;
  readonly #familyOf: FamilyOf | undefined;
  readonly #byText = new Map<string, Numbered>();
  readonly #byObject = new Map<object, Numbered>();
  /** Objects that were read since `remember` or `forget` was called last. */
  #met: { readonly object: object; readonly is: Numbered }[] = [];
  readonly #fields = new Map<string, Fields>();
  /** Where in the value the work is, for errors. */
  readonly #path: (string | number)[] = [];
  #called: string | (() => string) = '';

  /** Without `familyOf` epochs are numbers as others are. */
  constructor(kinds: Kinds, familyOf?: FamilyOf) {
    this.#kinds = kinds;
    this.#familyOf = familyOf;
  }

  /** @throws Error that says where below `called` the value is not plain data */
  number(value: unknown, called: string | (() => string)): Numbered {
    this.#path.length = 0;
    this.#called = called;
    if (isObject(value)) return this.#ofObject(value);
    const text = this.#literal(value);
    return this.#one(text, 0, text.length);
  }

  /** The number of what is made of values with these numbers, in this order. */
  numberOfAll(numbers: readonly number[]): number {
    return this.#one(`(${numbers.join()}`, 0, 0).number;
  }

  /** What was numbered since the last time is kept by whoever asked, so it will be met again. */
  remember(): void {
    for (const { object, is } of this.#met) this.#byObject.set(object, is);
    this.#met = [];
  }

  /** What was numbered since the last time is not kept. */
  forget(): void {
    if (this.#met.length > 0) this.#met = [];
  }

  /**
   * The value with the epochs in `masks`, one for each family, become 1, 2, 3 … (0: the family stays as it is). A copy,
   * but for pieces that stay.
   */
  renumbered<V>(value: V, masks: Int32Array): V {
    if (!isObject(value)) return value;
    const { kind } = this.#byObject.get(value) ?? this.number(value, 'the value');
    if (this.#kinds.stays(kind, masks)) return value;
    if (Array.isArray(value)) return value.map((item: unknown) => this.renumbered(item, masks)) as V;
    const holder = value as Readonly<Record<string, unknown>>;
    const out: Record<string, unknown> = {};
    for (const field of Object.keys(holder)) {
      const item = holder[field];
      out[field] = isEpoch(field, item)
        ? this.#ranked(field, holder, item, masks)
        : this.renumbered(item, masks);
    }
    return out as V;
  }

  #ranked(
    field: string,
    holder: Readonly<Record<string, unknown>>,
    epoch: number,
    masks: Int32Array,
  ): number {
    const mask = masks[this.#familyOf?.(field, holder, epoch) ?? -1] ?? 0;
    return mask === 0 ? epoch : rank(mask, epoch);
  }

  #ofObject(value: object): Numbered {
    const known = this.#byObject.get(value);
    if (known !== undefined) return known;
    if (this.#path.length > DEEPEST) throw tooDeep(this.#where());
    if (Array.isArray(value)) return this.#ofList(value);
    if (isPlain(value)) return this.#ofFields(value as Record<string, unknown>);
    throw notPlain(this.#where(), value);
  }

  #ofList(list: readonly unknown[]): Numbered {
    let [text, kind, length] = ['[', 0, 2];
    for (let i = 0; i < list.length; i++) {
      const value = list[i];
      if (isObject(value)) {
        this.#path.push(i);
        const item = this.#ofObject(value);
        this.#path.pop();
        text += `#${item.number},`;
        kind = this.#kinds.union(kind, item.kind);
        length += item.length + 1;
      } else {
        const literal = this.#literal(value, i);
        text += `${literal},`;
        length += literal.length + 1;
      }
    }
    const is = this.#one(text, kind, length);
    this.#met.push({ object: list, is });
    return is;
  }

  #ofFields(holder: Readonly<Record<string, unknown>>): Numbered {
    let [text, kind, length] = ['{', 0, 2];
    for (const { name, text: field, isEpoch: named } of this.#fieldsOf(holder)) {
      const value = holder[name];
      if (value === undefined) continue;
      if (isObject(value)) {
        this.#path.push(name);
        const item = this.#ofObject(value);
        this.#path.pop();
        text += `${field}#${item.number},`;
        kind = this.#kinds.union(kind, item.kind);
        length += field.length + item.length + 1;
        continue;
      }
      const literal = this.#literal(value, name);
      text += `${field}${literal},`;
      length += field.length + literal.length + 1;
      if (named && typeof value === 'number' && this.#familyOf !== undefined)
        kind = this.#kinds.with(kind, this.#familyOf(name, holder, value), value);
    }
    const is = this.#one(text, kind, length);
    this.#met.push({ object: holder, is });
    return is;
  }

  #literal(value: unknown, at?: string | number): string {
    if (value === null || value === undefined) return 'null';
    if (typeof value === 'string') return JSON.stringify(value);
    if (typeof value === 'number' || typeof value === 'boolean') return String(value);
    if (at !== undefined) this.#path.push(at);
    throw notPlain(this.#where(), value);
  }

  #one(text: string, kind: number, length: number): Numbered {
    const known = this.#byText.get(text);
    if (known !== undefined) return known;
    const one: Numbered = { number: this.#byText.size, kind, length };
    this.#byText.set(text, one);
    return one;
  }

  #fieldsOf(holder: Readonly<Record<string, unknown>>): Fields['sorted'] {
    const given = Object.keys(holder);
    const key = given.join();
    const known = this.#fields.get(key);
    if (known !== undefined && given.every((name, i) => name === known.given[i])) return known.sorted;
    const sorted = given
      .toSorted()
      .map((name) => ({ name, text: `${JSON.stringify(name)}:`, isEpoch: namesEpoch(name) }));
    this.#fields.set(key, { given, sorted });
    return sorted;
  }

  #where(): string {
    const steps = this.#path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`));
    return (typeof this.#called === 'string' ? this.#called : this.#called()) + steps.join('');
  }
}
