// Partial order: of steps that can be made in any order with the same result, only one order is made.
//
// Sleep sets (Godefroid, "Partial-order methods for the verification of concurrent systems", LNCS 1032, 1996, chapter 5)
// for a breadth-first search. When a state's moves are made one after another, the state behind a move is told to leave
// out (its moves "sleep") those made before it that commute with it, and those that slept already and commute with it:
// what they lead to is reached through them, in the other order. A state that is reached several times from the level
// before leaves out only what all those ways tell it to.
//
// All states are visited, each at its least depth: let w be a shortest way from a visited state to one that is not, such
// that no way equal to w but for the order of commuting neighbours begins with a move that sleeps. Of the moves that
// such ways begin with, take the one made first; the state behind it is one level deeper, since w is shortest, and
// nothing that the rest can begin with was told to sleep by this move: else it would have been made before it. So only
// ways from one level to the next matter, and nothing needs to be kept of levels that are done.
//
// The order in which a state's moves count as made is free; those that change nothing come first, so that they sleep
// behind every move that they commute with. Two moves commute in a state when neither changes a part that the other
// reads or changes (messages into an unordered channel with room commute), neither changes which epochs there are of a
// family that the parts hold which the other touches, and they do not take the last of one budget.
// Invariant: a sleeping move is possible, and does what it did where it was made: its parts have not changed since.
import type { Composition } from './composition.ts';
import { commute, Footprint, MOST_PARTS, type Touched } from './footprint.ts';
import type { Move, Part } from './part.ts';
import { IntList } from './states.ts';

/** Not told yet what sleeps there. */
const UNTOLD = -1;

/** A move that sleeps or was made, and what it touched. */
class Step implements Touched {
  id = 0;
  reads = 0;
  writes = 0;
  sends = 0;
  sent = 0;
  offers = 0;
  takes = 0;
  families = 0;
  /** The state that it led to. */
  found = 0;
  /** It led to a state that another one stands for, where moves have other names. */
  turned = false;
}

/** Numbers that are kept of a sleeping move. */
const KEPT = 8;

/** What sleeps in the states of one level. */
class Level {
  readonly starts = new IntList();
  readonly counts = new IntList();
  readonly #entries = new IntList();

  get bytes(): number {
    return this.starts.bytes + this.counts.bytes + this.#entries.bytes;
  }

  get end(): number {
    return this.#entries.length;
  }

  clear(): void {
    this.starts.length = this.counts.length = this.#entries.length = 0;
  }

  id(at: number): number {
    return this.#entries.at(at);
  }

  read(at: number, step: Step): void {
    const entries = this.#entries;
    step.id = entries.at(at);
    step.reads = entries.at(at + 1);
    step.writes = entries.at(at + 2);
    step.sends = entries.at(at + 3);
    step.sent = entries.at(at + 4);
    step.offers = entries.at(at + 5);
    step.takes = entries.at(at + 6);
    step.families = entries.at(at + 7);
  }

  write(at: number, { id, reads, writes, sends, sent, offers, takes, families }: Step): void {
    const entries = this.#entries;
    entries.set(at, id);
    entries.set(at + 1, reads);
    entries.set(at + 2, writes);
    entries.set(at + 3, sends);
    entries.set(at + 4, sent);
    entries.set(at + 5, offers);
    entries.set(at + 6, takes);
    entries.set(at + 7, families);
  }
}

export class SleepSets {
  readonly #composition: Composition;
  readonly #footprint: Footprint;
  readonly #ids = new Map<Move, number>();
  readonly #named = new Map<string, number>();
  readonly #moves: Move[] = [];
  /** The step of the move with an id, when its round is the present one. */
  readonly #steps: Step[] = [];
  readonly #rounds: number[] = [];
  #round = 0;
  readonly #asleep: Step[] = [];
  readonly #made: Step[] = [];
  #from: Int32Array = new Int32Array(0);
  #index = 0;
  #level = new Level();
  #nextLevel = new Level();
  #levelStart = 0;
  #levelEnd = 1;

  /** Undefined where sleep sets cannot be kept: parts are bits of one number. */
  static for(composition: Composition): SleepSets | undefined {
    return composition.parts.length > MOST_PARTS ? undefined : new SleepSets(composition);
  }

  private constructor(composition: Composition) {
    this.#composition = composition;
    this.#footprint = new Footprint(composition.parts, composition.kinds);
    this.#level.starts.push(0);
    this.#level.counts.push(0);
  }

  get bytes(): number {
    return this.#level.bytes + this.#nextLevel.bytes;
  }

  /** State `index`, which is `from`, is explored next; `size` states are known. */
  enter(index: number, from: Int32Array, size: number): void {
    if (index === this.#levelEnd) {
      [this.#level, this.#nextLevel] = [this.#nextLevel, this.#level];
      this.#nextLevel.clear();
      this.#levelStart = index;
      this.#levelEnd = size;
    }
    this.#from = from;
    this.#index = index;
    this.#round++;
    this.#made.length = this.#asleep.length = 0;
    const start = this.#level.starts.at(index - this.#levelStart);
    const count = this.#level.counts.at(index - this.#levelStart);
    for (let i = 0; i < count; i++) {
      const step = this.#stepOf(this.#level.id(start + i * KEPT));
      this.#level.read(start + i * KEPT, step);
      this.#asleep.push(step);
      this.#rounds[step.id] = this.#round;
    }
  }

  get areAsleep(): boolean {
    return this.#asleep.length > 0;
  }

  isAsleep(move: Move, part: number): boolean {
    return this.#asleep.length > 0 && this.#rounds[this.#idOf(move, part)] === this.#round;
  }

  /** Makes `move` of `part` in `state`, which is equal to the present one, and remembers what it touched. */
  run(state: Int32Array, move: Move, part: number): void {
    this.#composition.runMeasured(state, move, (turn, heard) =>
      this.#footprint.measure({ before: this.#from, after: state }, part, move, turn, heard),
    );
  }

  /** `move`, which ran last, led to state `found`. `turned`: to one that another stands for. */
  made(move: Move, part: number, found: number, isNew: boolean, turned: boolean): void {
    if (isNew) this.#nextLevel.counts.set(found - this.#levelEnd, UNTOLD);
    const step = this.#stepOf(this.#idOf(move, part));
    const { reads, writes, sends, sent, offers, takes, families } = this.#footprint;
    step.reads = reads;
    step.writes = writes;
    step.sends = sends;
    step.sent = sent;
    step.offers = offers;
    step.takes = takes;
    step.families = families;
    step.found = found;
    step.turned = turned;
    this.#made.push(step);
  }

  /** All moves of the present state were made: tells the states behind them what sleeps there. */
  leave(): void {
    // First what sleeps, then what changed nothing, then the rest as it was made.
    const before = [...this.#asleep];
    for (const step of this.#made) if (!this.#isChange(step)) this.#add(step, before);
    for (const step of this.#made) {
      if (!this.#isChange(step)) continue;
      const state = step.found - this.#levelEnd;
      if (state >= 0) {
        if (this.#nextLevel.counts.at(state) === UNTOLD) this.#tell(state, step, before);
        else this.#tellAgain(state, step);
      }
      this.#add(step, before);
    }
  }

  #isChange({ found, turned }: Step): boolean {
    return found !== this.#index || turned;
  }

  #add(step: Step, before: Step[]): void {
    before.push(step);
    this.#rounds[step.id] = this.#round;
  }

  #tell(state: number, step: Step, before: readonly Step[]): void {
    const level = this.#nextLevel;
    level.starts.set(state, level.end);
    let count = 0;
    if (!step.turned) {
      for (const other of before) {
        if (!this.#commutes(step, other)) continue;
        level.write(level.end, other);
        count++;
      }
    }
    level.counts.set(state, count);
  }

  /** Another way to the state: what it does not tell to sleep wakes up. */
  #tellAgain(state: number, step: Step): void {
    const level = this.#nextLevel;
    const start = level.starts.at(state);
    const count = step.turned ? 0 : level.counts.at(state);
    let kept = 0;
    for (let i = 0; i < count; i++) {
      const id = level.id(start + i * KEPT);
      const other = this.#steps[id] as Step;
      if (this.#rounds[id] === this.#round && this.#commutes(step, other))
        level.write(start + kept++ * KEPT, other);
    }
    level.counts.set(state, kept);
  }

  #commutes(step: Step, other: Step): boolean {
    if (!commute(step, other, this.#hasRoom)) return false;
    const [{ budget, subject }, its] = [this.#moves[step.id] as Move, this.#moves[other.id] as Move];
    if (step.offers !== 0 && step.offers === other.offers && (step.takes | other.takes) !== 0)
      if (subject === its.subject) return false;
    return budget === -1 || budget !== its.budget || this.#composition.left(this.#from, budget) > 1;
  }

  readonly #hasRoom = (channels: number, messages: number): boolean =>
    this.#composition.parts.every(
      (part) =>
        (channels & (1 << part.index)) === 0 || part.hasRoom(this.#from[part.index] as number, messages),
    );

  #stepOf(id: number): Step {
    const known = this.#steps[id];
    if (known !== undefined) return known;
    const step = new Step();
    step.id = id;
    return (this.#steps[id] = step);
  }

  /** Moves about one message are the same whatever else is in flight; others are told apart as objects. */
  #idOf(move: Move, part: number): number {
    const known = this.#ids.get(move);
    if (known !== undefined) return known;
    const name = move.subject === undefined ? undefined : nameOf(move, part, this.#composition);
    const id = (name === undefined ? undefined : this.#named.get(name)) ?? this.#moves.push(move) - 1;
    this.#ids.set(move, id);
    if (name !== undefined) this.#named.set(name, id);
    return id;
  }
}

function nameOf({ ops, subject, label, fault, budget }: Move, part: number, { parts }: Composition): string {
  const others = ops.map((op) => {
    const target = parts[op.part] as Part;
    return target.inputOf(op.input).is === 'take' ? 'take' : `${op.part}:${op.input}`;
  });
  return [part, label, String(fault), budget, others.join(), subject].join(' ');
}
