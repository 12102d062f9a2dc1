// Pieces of local states that repeat: each is written out once, and then known by a small number.
// Invariant: equal pieces are one object, so whatever is worked out for a piece is worked out once.
import type { EpochVisitor } from './epochs.ts';

interface Epoch {
  readonly field: string;
  readonly holder: Readonly<Record<string, unknown>>;
  readonly epoch: number;
}

interface Written {
  readonly number: number;
  readonly epochs: readonly Epoch[];
}

/** A piece whose text is longer is taken for one that grows: it collects instead of counting. */
export const LONGEST_TEXT = 32_768;

export class Pieces<P extends object> {
  readonly #called: string;
  readonly #write: (piece: P, visit: EpochVisitor) => string;
  readonly #replace: (piece: P, visit: EpochVisitor) => P;
  readonly #shared = new Map<string, P>();
  readonly #written = new Map<P, Written>();
  readonly #replaced = new Map<P, Map<EpochVisitor, P>>();

  /** `write` must make equal texts of equal pieces and visit every epoch; `replace` must replace what it visits. */
  constructor(
    called: string,
    write: (piece: P, visit: EpochVisitor) => string,
    replace: (piece: P, visit: EpochVisitor) => P,
  ) {
    this.#called = called;
    this.#write = write;
    this.#replace = replace;
  }

  /** The one piece for all that are equal to `piece`. @throws Error when its text is too long, or cannot be written */
  one(piece: P): P {
    if (this.#written.has(piece)) return piece;
    const epochs: Epoch[] = [];
    const text = this.#write(piece, (field, holder, epoch) => {
      epochs.push({ field, holder, epoch });
      return epoch;
    });
    const known = this.#shared.get(text);
    if (known !== undefined) return known;
    if (text.length > LONGEST_TEXT) {
      throw new Error(
        `${this.#called} seems to grow without bound: it takes ${text.length} characters: ${text.slice(0, 300)} …; ` +
          'bound what it collects; what decides nothing belongs into the ledger',
      );
    }
    this.#shared.set(text, piece);
    this.#written.set(piece, { number: this.#shared.size, epochs });
    return piece;
  }

  /** The number of the piece, with a visit to each of its epochs. */
  numberOf(piece: P, visit: EpochVisitor): number {
    const { number, epochs } = this.#written.get(this.one(piece)) as Written; // `one` has written it
    for (const { field, holder, epoch } of epochs) visit(field, holder, epoch);
    return number;
  }

  /** The piece with its epochs replaced. For one `visit` the answer is worked out once. */
  replaced(piece: P, visit: EpochVisitor): P {
    const one = this.one(piece);
    if ((this.#written.get(one) as Written).epochs.length === 0) return one;
    let known = this.#replaced.get(one);
    if (known === undefined) this.#replaced.set(one, (known = new Map()));
    let found = known.get(visit);
    if (found === undefined) known.set(visit, (found = this.one(this.#replace(one, visit))));
    return found;
  }
}
