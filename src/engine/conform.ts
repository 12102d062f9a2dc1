// Checks a transition log against the machines: does every actor do only what its machine allows?
// Invariant: of each actor the first impossible line is reported, and nothing that follows from it.
import type { AnyStateMachine, EventObject } from 'xstate';
import { Followed, Reference, type Compared } from './followed.ts';
import { readLogLine } from './log-line.ts';
import type { Late } from './running-delays.ts';
import { statePath } from './state-path.ts';
import { INIT, STOP, type TransitionRecord } from './transition-record.ts';

export interface ConformOptions {
  /** Machines by whose ids the lines name them. */
  readonly machines: Iterable<AnyStateMachine>;
  /** `states` for machines whose assigns are not pure (random numbers, the wall clock). @default 'contexts' */
  readonly compare?: Compared | undefined;
  /** So much too early a delay may end: clocks and timers are not exact. Milliseconds. @default 50 */
  readonly toleranceMs?: number | undefined;
}

/** A line that cannot be. */
export interface Impossible {
  /** From 1. */
  readonly line: number;
  readonly actor: string;
  readonly machine: string;
  readonly seq: number;
  /** Where the actor stood before the line. */
  readonly state: string;
  readonly event: EventObject;
  readonly what: string;
  readonly possible: readonly string[];
}

/** Lines of one actor that are not in the log. */
export interface Gap {
  /** The line after the gap. */
  readonly line: number;
  readonly actor: string;
  readonly missing: number;
}

/**
 * A delay that took over a second, and over a tenth of its length, too long. That is possible (the process was busy, or its
 * machine slept), so the log conforms all the same; it is also what another delay, or a timer that was lost, looks like.
 */
export interface LateDelay extends Late {
  /** The first line that shows it. */
  readonly line: number;
  readonly actor: string;
  readonly machine: string;
}

export interface Conformance {
  readonly lines: number;
  /** Lines that were held against a machine. */
  readonly checked: number;
  readonly actors: number;
  readonly impossible: readonly Impossible[];
  readonly gaps: readonly Gap[];
  readonly late: readonly LateDelay[];
  /** Lines that are no records, by number. */
  readonly unreadable: readonly { readonly line: number; readonly why: string }[];
  /** Lines that a crash cut: the last one, or the last before another run begins. */
  readonly cut: readonly number[];
  /** Actors whose first line is not their start. */
  readonly begunBefore: number;
  /** Lines of machines that nobody named, by machine id. */
  readonly unknown: ReadonlyMap<string, number>;
}

interface Life {
  /** Undefined when it ended: nothing is kept of it but numbers. */
  followed: Followed | undefined;
  readonly firstSeq: number;
  lastSeq: number;
  lastLine: number;
  /** `refused`: an impossible line was found; what follows is not looked at. */
  state: 'alive' | 'crashed' | 'ended' | 'refused';
  /** The last gap, and the line after it. */
  gap: { readonly gap: Gap; readonly after: TransitionRecord } | undefined;
}

const inWords = (from: TransitionRecord['from']): string => (from === null ? 'nowhere' : statePath(from));

const MAX_REPORTED = 1_000;

/** Takes a log line by line, so that it need not fit into memory. What an actor costs is let go when it ends. */
export class LogCheck {
  readonly #references = new Map<string, Reference>();
  readonly #compared: Compared;
  readonly #lives = new Map<string, Life>();
  readonly #runs = new Set<string>();
  readonly #impossible: Impossible[] = [];
  readonly #gaps = new Set<Gap>();
  readonly #late: LateDelay[] = [];
  readonly #toleranceMs: number;
  readonly #unreadable: { line: number; why: string }[] = [];
  readonly #cut: number[] = [];
  readonly #unknown = new Map<string, number>();
  #broken: { line: number; why: string } | undefined;
  #line = 0;
  #checked = 0;
  #begunBefore = 0;

  constructor({ machines, compare = 'contexts', toleranceMs = 50 }: ConformOptions) {
    this.#compared = compare;
    this.#toleranceMs = toleranceMs;
    for (const machine of machines) this.#references.set(machine.id, new Reference(machine));
  }

  /** The next line, without its newline. Empty ones are passed over. */
  take(text: string): void {
    this.#line += 1;
    if (text.trim() === '') return;
    const record = readLogLine(text);
    if (typeof record === 'string') {
      this.#settleBroken('same');
      this.#broken = { line: this.#line, why: record };
      return;
    }
    const run = record.run ?? '';
    this.#settleBroken(this.#runs.has(run) ? 'same' : 'another');
    this.#runs.add(run);
    const reference = this.#references.get(record.machine);
    if (reference === undefined) {
      this.#unknown.set(record.machine, (this.#unknown.get(record.machine) ?? 0) + 1);
      return;
    }
    this.#follow(record, reference, `${run} ${record.actor}`);
  }

  /** The log is over. */
  end(): Conformance {
    this.#settleBroken('another');
    return {
      lines: this.#line,
      checked: this.#checked,
      actors: this.#lives.size,
      impossible: this.#impossible.toSorted((a, b) => a.line - b.line),
      gaps: [...this.#gaps],
      late: this.#late,
      unreadable: this.#unreadable,
      cut: this.#cut,
      begunBefore: this.#begunBefore,
      unknown: this.#unknown,
    };
  }

  /** A line that is no record is forgiven when a process died over it: nothing, or another run, comes after it. */
  #settleBroken(next: 'same' | 'another'): void {
    if (this.#broken === undefined) return;
    if (next === 'another' && this.#broken.why === 'it is not JSON') this.#cut.push(this.#broken.line);
    else if (this.#unreadable.length < MAX_REPORTED) this.#unreadable.push(this.#broken);
    this.#broken = undefined;
  }

  #follow(record: TransitionRecord, reference: Reference, key: string): void {
    const { seq, event } = record;
    const known = this.#lives.get(key);
    const starts = event.type === INIT && seq === 1;
    // An actor that ended, or whose process was killed, leaves its id to the next one.
    if (known === undefined || (starts && known.firstSeq === 1 && known.state !== 'refused')) {
      this.#begin(record, reference, key);
      return;
    }
    if (known.state === 'refused') return;
    if (seq <= known.lastSeq) return this.#misplaced(record, known);
    const missing = seq - known.lastSeq - 1;
    if (missing > 0) this.#missing(record, known, missing);
    else this.#next(record, known);
  }

  #begin(record: TransitionRecord, reference: Reference, key: string): void {
    const followed = new Followed(reference, this.#compared, this.#toleranceMs);
    const { seq } = record;
    const life: Life = {
      followed,
      firstSeq: seq,
      lastSeq: seq,
      lastLine: this.#line,
      state: 'alive',
      gap: undefined,
    };
    this.#lives.set(key, life);
    if (record.event.type === INIT && seq === 1) return this.#next(record, life);
    this.#begunBefore += 1;
    this.#believe(record, life);
  }

  #next(record: TransitionRecord, life: Life): void {
    const { event } = record;
    const { followed } = life;
    // After a gap before a line without a context nothing is known, and so nothing can be checked.
    if (followed?.known !== false || event.type === INIT || life.state === 'crashed') this.#checked += 1;
    if (followed === undefined) {
      const what = `the actor had ended with line ${life.lastLine}`;
      return this.#refuse(record, life, 'ended', { what, possible: [] });
    }
    if (event.type === INIT && life.state === 'alive' && record.seq > 1) {
      const what = `it starts again, and by line ${life.lastLine} it was alive`;
      return this.#refuse(record, life, followed.state, { what, possible: [] });
    }
    if (life.state === 'crashed' && event.type !== INIT && event.type !== STOP) {
      const what = `the actor had crashed with line ${life.lastLine}, and was not started again`;
      return this.#refuse(record, life, 'crashed', { what, possible: [] });
    }
    const { state } = followed;
    const { actor, machine } = record;
    for (const late of followed.late(record))
      if (this.#late.length < MAX_REPORTED) this.#late.push({ line: this.#line, actor, machine, ...late });
    const refusal = followed.take(record);
    if (refusal !== undefined) return this.#refuse(record, life, state, refusal);
    this.#stand(record, life);
  }

  /** Lines are missing before this one: from here on the log is believed once. */
  #missing(record: TransitionRecord, life: Life, missing: number): void {
    const gap = { line: this.#line, actor: record.actor, missing };
    life.gap = { gap, after: record };
    if (this.#gaps.size < MAX_REPORTED) this.#gaps.add(gap);
    this.#believe(record, life);
  }

  #believe(record: TransitionRecord, life: Life): void {
    const refusal = life.followed?.adopt(record);
    if (refusal !== undefined) return this.#refuse(record, life, 'unknown', refusal);
    this.#stand(record, life);
  }

  #stand({ seq, event, status }: TransitionRecord, life: Life): void {
    life.lastSeq = seq;
    life.lastLine = this.#line;
    if (status === 'done' || status === 'stopped' || event.type === STOP) life.state = 'ended';
    else life.state = status === 'error' ? 'crashed' : 'alive';
    if (life.state === 'ended') life.followed = undefined;
  }

  /** An older number after a newer one. */
  #misplaced(record: TransitionRecord, life: Life): void {
    const { seq } = record;
    const { lastSeq, lastLine } = life;
    const early = life.gap?.after;
    if (
      life.gap !== undefined &&
      early !== undefined &&
      seq < early.seq &&
      seq >= early.seq - life.gap.gap.missing
    ) {
      // What looked like a gap was a line that stands too early.
      const { gap } = life.gap;
      this.#gaps.delete(gap);
      const what = `number ${early.seq} of this actor stands before its number ${seq} (line ${this.#line}): lines were swapped`;
      return this.#refuse(early, life, inWords(early.from), { what, possible: [] }, gap.line);
    }
    const what =
      seq === lastSeq
        ? `number ${seq} of this actor stands in line ${lastLine} already`
        : `number ${seq} of this actor comes after its number ${lastSeq} (line ${lastLine})`;
    this.#refuse(record, life, life.followed?.state ?? 'ended', { what, possible: [] });
  }

  #refuse(
    { actor, machine, seq, event }: TransitionRecord,
    life: Life,
    state: string,
    refusal: { readonly what: string; readonly possible: readonly string[] },
    line = this.#line,
  ): void {
    life.state = 'refused';
    if (this.#impossible.length < MAX_REPORTED)
      this.#impossible.push({ line, actor, machine, seq, state, event, ...refusal });
  }
}

/** Checks a whole log. The lines come without their newlines. */
export function conform(lines: Iterable<string>, options: ConformOptions): Conformance {
  const check = new LogCheck(options);
  for (const line of lines) check.take(line);
  return check.end();
}
