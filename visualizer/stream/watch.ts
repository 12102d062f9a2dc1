// What the page watches: a live stream or a recording, folded in slices so that the page never stalls.
// Invariant: listeners are told at most once a frame, and only when something has changed.
import type { Answer, Ask, Operation, Step, Told } from '../../src/protocol/inspection.ts';
import { Fold } from './fold.ts';
import { Intake } from './intake.ts';
import type { Model } from './model.ts';
import { Timeline, type Packing, type Signal } from './timeline.ts';
import { Trends } from './trends.ts';

/** What the page's platform gives. */
export interface Platform extends Packing {
  /** Calls once, before the next frame is drawn, or soon when nobody looks at the page. */
  nextFrame(fn: () => void): void;
}

/** How the page's own connection is. A recording has none: its state is `recording`. */
export interface LinkState {
  /** Path of the connection machine's state. */
  readonly state: string;
  /** Why the server did not let us in: it wants a token, or another one. */
  readonly refused?: string | undefined;
}

/** What carries questions to the server. */
export interface Asker {
  /** @returns whether there was a connection to send it on */
  ask(ask: Ask): boolean;
  /** Ends the connection, so that it begins again with the whole present. */
  restart(): void;
}

/** Time that one frame may spend on folding. */
const SLICE_MS = 8;

type Settle = (answer: Pick<Answer, 'ok' | 'message'>) => void;

export class Watch {
  readonly #platform: Platform;
  readonly #listeners = new Set<() => void>();
  readonly #fold = new Fold();
  readonly #intake: Intake;
  readonly #asked = new Map<number, Settle>();
  #nextAsk = 1;
  #asker: Asker | undefined;
  #model: Model = modelOf(this.#fold);
  #frame: 'none' | 'asked' = 'none';
  #link: LinkState = { state: 'idle' };
  readonly timeline: Timeline;
  readonly trends = new Trends();
  /** The name of the recording's file; undefined while live. */
  readonly recording: string | undefined;

  constructor(platform: Platform, recording?: string) {
    this.#platform = platform;
    this.recording = recording;
    this.timeline = new Timeline(platform);
    this.#intake = new Intake(() => platform.now());
    if (recording !== undefined) this.#link = { state: 'recording' };
  }

  /** The fleet as it is now; a new object after each change. */
  get model(): Model {
    return this.#model;
  }

  get link(): LinkState {
    return this.#link;
  }

  /** Messages that could not be read. */
  get unread(): number {
    return this.#intake.unread;
  }

  /** Whether all that came was read. */
  get idle(): boolean {
    return this.#intake.idle;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  attach(asker: Asker): void {
    this.#asker = asker;
  }

  setLink(link: LinkState): void {
    this.#link = link;
    if (link.state !== 'connected') {
      const lost = { ok: false, message: 'The connection was lost before the answer came.' };
      for (const settle of this.#asked.values()) settle(lost);
      this.#asked.clear();
    }
    this.#changed();
  }

  /** Text of one message of the stream: one value or an array of them. */
  receive(text: string): void {
    if (!this.#intake.push(text, this.#platform.now())) {
      this.#fold.dropped += 1;
      this.#asker?.restart();
    }
    this.#changed();
  }

  /** Asks the server to do something. Resolves with its answer; never rejects. */
  ask(operation: Operation, target?: string): Promise<Pick<Answer, 'ok' | 'message'>> {
    const id = this.#nextAsk++;
    const ask: Ask = { kind: 'ask', id, operation, ...(target === undefined ? {} : { target }) };
    return new Promise((resolve) => {
      if (this.#asker?.ask(ask) === true) this.#asked.set(id, resolve);
      else resolve({ ok: false, message: 'There is no connection to the server now.' });
    });
  }

  /** The fleet as it was. @throws what `signal` was aborted with */
  async moment(at: number, signal: Signal): Promise<Model> {
    const past = await this.timeline.moment(at, signal);
    // A chart that was told of later is the same chart.
    for (const [machine, { document }] of this.#fold.machines) {
      const tally = past.machines.get(machine);
      if (tally !== undefined) tally.document ??= document;
    }
    return modelOf(past);
  }

  /** The moment of the nearest step before or after `at`; undefined when there is none. */
  async neighbour(at: number, side: 'before' | 'after', signal: Signal): Promise<number | undefined> {
    const [from, to] = side === 'before' ? [-Infinity, at] : [at, Infinity];
    let nearest: Step | undefined;
    for await (const steps of this.timeline.steps(from, to, signal)) {
      const step = side === 'before' ? steps.findLast((it) => it.at < at) : steps.find((it) => it.at > at);
      const nearer =
        nearest === undefined || (side === 'before') === (step !== undefined && step.at > nearest.at);
      if (step !== undefined && nearer) nearest = step;
    }
    return nearest?.at;
  }

  #changed(): void {
    if (this.#frame === 'asked') return;
    this.#frame = 'asked';
    this.#platform.nextFrame(() => this.#work());
  }

  #work(): void {
    this.#frame = 'none';
    this.#intake.work(this.#taker, this.#platform.now() + SLICE_MS);
    if (!this.#intake.idle) this.#changed();
    if (this.#model.version !== this.#fold.version) this.#model = modelOf(this.#fold);
    for (const listener of this.#listeners) listener();
  }

  readonly #taker = {
    fold: this.#fold,
    get at(): number {
      return this.fold.at;
    },
    knows: (told: Told): boolean => this.#fold.knows(told),
    begin: (): void => this.timeline.begin(this.#fold),
    end: (text: string): void => this.timeline.keep(text),
    take: (told: Told): void => {
      this.#fold.apply(told);
      this.timeline.note(told);
      if (told.kind === 'fleet') this.trends.note(told);
      if (told.kind !== 'answer') return;
      this.#asked.get(told.id)?.(told);
      this.#asked.delete(told.id);
    },
  };
}

/** A view of the fold that is another object after each change. */
function modelOf(fold: Fold): Model {
  const { version, at, hello, began, processes, actors, machines, fleet, links, dropped, unexpected } = fold;
  return { version, at, hello, began, processes, actors, machines, fleet, links, dropped, unexpected };
}
