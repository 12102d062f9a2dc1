// One actor, stepped by hand: events in, state and effects out, delays expire when the test says so.
// Invariant: it runs the machine object itself, through the same pure step as the checker.
import type { AnyMachineSnapshot } from 'xstate';
import { createStepper, type Effect, type Step, type Stepper } from '../../src/engine/index.ts';
import { type AnyContext, type AnyEvent, type Entry, readable } from './machines.ts';

interface PendingDelay {
  readonly id: string;
  readonly name: string;
  readonly delayMs: number;
  readonly event: AnyEvent;
}

export class Scenario {
  readonly stepper: Stepper;
  readonly input: unknown;
  snapshot: AnyMachineSnapshot;
  /** What the last event led to. */
  effects: readonly Effect[] = [];
  unexpected = false;
  /** Delays that are running, by the machine's own names. */
  readonly delays = new Map<string, PendingDelay>();

  constructor({ machine, effects }: Pick<Entry, 'machine' | 'effects'>, input: unknown) {
    this.stepper = createStepper(machine, effects);
    this.input = input;
    const step = this.stepper.start(input);
    this.snapshot = step.snapshot;
    this.take(step);
  }

  get state(): string {
    return readable(this.snapshot.value);
  }
  get context(): AnyContext {
    return this.snapshot.context as AnyContext;
  }
  get control(): AnyContext['control'] {
    return this.context.control;
  }
  get ledger(): AnyContext['ledger'] {
    return this.context.ledger;
  }
  get done(): boolean {
    return this.snapshot.status === 'done';
  }
  get effectNames(): string[] {
    return this.effects.map(({ type }) => type);
  }

  /** A new life, from the initial state. */
  restart(): this {
    this.delays.clear();
    this.take(this.stepper.start(this.input));
    return this;
  }

  /** @returns itself, so that events can be chained */
  send(event: AnyEvent): this {
    this.take(this.stepper.step(this.snapshot, event));
    return this;
  }

  /** The named delay is over. */
  expire(name: string): this {
    const pending = [...this.delays.values()].find((delay) => delay.name === name);
    if (pending === undefined)
      throw new Error(`no delay ${name} is running in ${this.state}: ${[...this.delays.keys()]}`);
    this.delays.delete(pending.id);
    return this.send(pending.event);
  }

  delayMs(name: string): number {
    const pending = [...this.delays.values()].find((delay) => delay.name === name);
    return pending?.delayMs ?? -1;
  }

  payload(effect: string): unknown {
    return this.effects.find(({ type }) => type === effect)?.payload;
  }

  private take(step: Step): void {
    this.snapshot = step.snapshot;
    this.effects = step.effects;
    this.unexpected = step.unexpected;
    for (const timer of step.timers) {
      if ('cleared' in timer) this.delays.delete(timer.cleared);
      else
        this.delays.set(timer.set, {
          id: timer.set,
          name: timer.name,
          delayMs: timer.delayMs,
          event: timer.event,
        });
    }
  }
}
