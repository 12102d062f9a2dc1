// Follows some of the actors that run on a compiled table, each from its start to its end.
// Invariant: which ones depends on their number alone, so that both ends of a call choose the same; the more there are, the
// fewer are followed, and what the others cost is a comparison.
import type { AnyStateMachine } from 'xstate';
import type { Observer } from '../../engine/table-records.ts';
import type { Clock, Timer } from '../../ports.ts';
import type { ActorNow } from '../../protocol/inspection.ts';
import type { Collector, Sampled } from './collector.ts';
import type { Followed } from './open-step.ts';

interface Row {
  readonly state: number;
  readonly context: unknown;
}

export interface TableSampleOptions<A> {
  readonly clock: Clock;
  readonly machine: AnyStateMachine;
  /** Has the table tell of each event; undefined: of none. */
  observe(observer: Observer<A> | undefined): void;
  /** A number, evenly spread; undefined while it has none, or when it is too late to begin with it. */
  key(actor: A): number | undefined;
  /** Unique within the process; asked once the actor has a number. */
  id(actor: A): string;
}

const WINDOW_MS = 1_000;
/** Of the steps of a process, so many go to each table at most: one in twenty actors a second. */
const ACTORS_SHARE = 1 / 20;
const MOST_ACTORS = 25;

export class TableSample<A extends Row> implements Sampled {
  readonly #options: TableSampleOptions<A>;
  readonly #names: readonly string[];
  readonly #final: readonly boolean[];
  readonly #followed = new Map<A, Followed>();
  #collector: Collector | undefined;
  #timer: Timer | undefined;
  /** Those whose number has none of these bits are followed. */
  #mask = 0;
  #began = 0;
  #shown = 0;
  #limit = 1;

  constructor(options: TableSampleOptions<A>) {
    this.#options = options;
    const nodes = Object.values(options.machine.root.states);
    this.#names = nodes.map(({ key }) => key);
    this.#final = nodes.map(({ type }) => type === 'final');
  }

  follow(collector: Collector): () => void {
    this.#collector = collector;
    this.#limit = Math.min(MOST_ACTORS, Math.max(1, Math.floor(collector.stepsPerSecond * ACTORS_SHARE)));
    this.#began = this.#shown = this.#mask = 0;
    this.#options.observe(this.#observe);
    this.#window();
    return () => {
      this.#options.observe(undefined);
      this.#followed.clear();
      this.#collector = undefined;
      if (this.#timer !== undefined) this.#options.clock.clearTimer(this.#timer);
    };
  }

  living(): readonly ActorNow[] {
    const at = this.#options.clock.now();
    return [...this.#followed.values()].flatMap(({ actor, machine, seq, state }) =>
      state === null ? [] : [{ actor, machine, seq, since: at, state }],
    );
  }

  readonly #observe: Observer<A> = (actor, event, from) => {
    if (from === -1) {
      this.#began += 1;
      this.#choose(actor);
      return;
    }
    let followed = this.#followed.size === 0 ? undefined : this.#followed.get(actor);
    // It may have got its number only now.
    if (followed === undefined && from === 0) followed = this.#choose(actor);
    if (followed === undefined) return;
    const status = this.#final[actor.state] === true ? ('done' as const) : undefined;
    this.#tell(actor, followed, event, status);
    if (status !== undefined) this.#followed.delete(actor);
  };

  #choose(actor: A): Followed | undefined {
    const { key, id, machine } = this.#options;
    const number = key(actor);
    if (number === undefined || (number & this.#mask) !== 0 || this.#collector === undefined)
      return undefined;
    this.#shown += 1;
    if (this.#shown > this.#limit) {
      // Too many for this second: half of them from now on. Those that are followed are followed to their end.
      this.#shown = 0;
      this.#mask = (this.#mask << 1) | 1;
    }
    const followed: Followed = {
      actor: id(actor),
      machine: machine.id,
      parent: undefined,
      seq: 0,
      state: null,
      open: undefined,
      timers: [],
    };
    this.#followed.set(actor, followed);
    this.#collector.sayMachine(machine);
    this.#tell(actor, followed, { type: 'xstate.init' }, undefined, this.#names[0]);
    return followed;
  }

  #tell(
    actor: A,
    followed: Followed,
    event: { readonly type: string },
    status: 'done' | undefined,
    to = this.#names[actor.state],
  ): void {
    const collector = this.#collector;
    if (to === undefined || collector === undefined) return;
    const context = collector.contexts ? { context: actor.context } : {};
    collector.tellStep(followed, event, { to, ...context, status });
  }

  #window(): void {
    this.#timer = this.#options.clock.setTimer(() => {
      const { machine } = this.#options;
      const shown = Math.ceil(this.#began / (this.#mask + 1));
      if (this.#began > 0 && this.#mask > 0)
        this.#collector?.tell({
          kind: 'sampled',
          process: this.#collector.process,
          machine: machine.id,
          at: this.#options.clock.now(),
          began: this.#began,
          shown,
        });
      if (shown * 4 <= this.#limit) this.#mask >>= 1;
      this.#began = this.#shown = 0;
      this.#window();
    }, WINDOW_MS);
  }
}
