// A step while it happens: the event came, its effects are being performed, where it leads is not known yet.
// Invariant: nothing is put together for a step that will not be told.
import type { EventObject } from 'xstate';
import type { TimerRecord } from '../../actors/inspection.ts';
import type { StateValue, Step } from '../../protocol/inspection.ts';
import { redact, redactEvent, type Payloads } from './redact.ts';

export type Cause = NonNullable<Step['cause']>;

/** An actor that is followed. */
export interface Followed {
  readonly actor: string;
  readonly machine: string;
  readonly parent: string | undefined;
  seq: number;
  state: StateValue | null;
  open: OpenStep | undefined;
  /** Delays that ended between two events: the next event is what they led to. */
  timers: TimerRecord[];
}

/** How an event ended. */
export interface Outcome {
  readonly to: StateValue | null;
  readonly context?: unknown;
  readonly status?: Step['status'];
  readonly error?: unknown;
}

export class OpenStep {
  readonly clock: number;
  readonly at: number;
  readonly isTold: boolean;
  unexpected = false;
  readonly #event: EventObject;
  readonly #cause: Cause | undefined;
  readonly #effects: { readonly name: string; readonly payload: unknown }[] = [];
  readonly #timers: TimerRecord[];
  readonly #via: StateValue[] = [];

  constructor(
    event: EventObject,
    { at, clock, cause }: { at: number; clock: number; cause: Cause | undefined },
    timers: TimerRecord[],
    isTold: boolean,
  ) {
    this.#event = event;
    this.at = at;
    this.clock = clock;
    this.#cause = cause;
    this.#timers = timers;
    this.isTold = isTold;
  }

  effect(name: string, payload: unknown, payloads: Payloads): void {
    // At once: the machine may write into what it hands over.
    if (this.isTold) this.#effects.push({ name, payload: redact(payload, payloads) });
  }

  timer(timer: TimerRecord): void {
    if (this.isTold) this.#timers.push(timer);
  }

  passed(state: StateValue): void {
    if (this.isTold) this.#via.push(state);
  }

  /** The whole step. `seq` is already its own. */
  close(process: string, followed: Followed, outcome: Outcome, payloads: Payloads): Step {
    const { actor, machine, parent, seq, state: from } = followed;
    const { to, context, status, error } = outcome;
    // The last of them is where it ended.
    const via = this.#via.slice(0, -1);
    const effects = this.#effects.map(({ name, payload }) =>
      isEmpty(payload) ? { name } : { name, payload },
    );
    return {
      kind: 'step',
      process,
      actor,
      machine,
      ...(parent === undefined ? {} : { parent }),
      seq,
      at: this.at,
      clock: this.clock,
      event: redactEvent(this.#event, payloads),
      from,
      to,
      ...(via.length === 0 ? {} : { via }),
      ...(effects.length === 0 ? {} : { effects }),
      ...(this.#timers.length === 0 ? {} : { timers: this.#timers }),
      ...(this.#cause === undefined ? {} : { cause: this.#cause }),
      ...(context === undefined ? {} : { context: redact(context, payloads) }),
      ...(this.unexpected ? { unexpected: true as const } : {}),
      ...(status === undefined ? {} : { status }),
      ...(error === undefined ? {} : { error: String(redact(messageOf(error), payloads)) }),
    };
  }
}

const isEmpty = (payload: unknown): boolean =>
  payload === undefined ||
  (typeof payload === 'object' && payload !== null && Object.keys(payload).length === 0);

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
