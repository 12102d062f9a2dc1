// A machine's named guards, delays, assigners and effects, turned into functions over a row.
// Invariant: one args object a machine is reused; it is filled right before each call and never handed to a performer.
import type { AnyStateMachine } from 'xstate';
import { refuse } from './flat.ts';

/** A row and an event, known by their shape only. */
export interface AnyRow {
  state: number;
  context: unknown;
}
export interface AnyEvent {
  readonly type: string;
}

export type Operation = (actor: AnyRow, event: AnyEvent) => void;
export type Test = (actor: AnyRow, event: AnyEvent) => boolean;
export type DelayOf = (actor: AnyRow) => number;
export type AnyPerformers = Readonly<Record<string, ((actor: AnyRow, event: AnyEvent) => void) | undefined>>;

interface TwoParts {
  control: unknown;
  ledger: unknown;
}
type Implementation = (args: Args) => unknown;
type Assignment = Implementation | Readonly<Record<string, unknown>>;

/** What XState would hand to guards, assigners and delays. Only context and event exist here. */
class Args {
  readonly machine: string;
  context: unknown = undefined;
  event: AnyEvent | undefined = undefined;

  constructor(machine: string) {
    this.machine = machine;
  }
  get spawn(): never {
    return refuse(this.machine, '(any)', 'spawn', 'run this machine as an XState actor (drive)');
  }
  get self(): never {
    return refuse(this.machine, '(any)', 'self', 'let a performer do it: it is given the actor');
  }
  get system(): never {
    return refuse(this.machine, '(any)', 'system', 'let a performer do it: it knows its surroundings');
  }
}

/** Stands for the event while a delay is evaluated: nobody keeps the one that led to the state. */
class NoEvent {
  readonly machine: string;

  constructor(machine: string) {
    this.machine = machine;
  }
  get type(): string {
    return refuse(
      this.machine,
      '(any)',
      'a delay that reads the event',
      'let an assigner note the value in the ledger',
    );
  }
}

/** Looks implementations up by name; refuses what is missing or not a plain function. */
export class Operations {
  private readonly id: string;
  private readonly machine: AnyStateMachine;
  private readonly effects: ReadonlySet<string>;
  private readonly performers: AnyPerformers;
  private readonly args: Args;

  constructor(machine: AnyStateMachine, effects: Iterable<string>, performers: AnyPerformers) {
    this.id = machine.id;
    this.machine = machine;
    this.effects = new Set(effects);
    this.performers = performers;
    this.args = new Args(machine.id);
    for (const effect of this.effects) this.performer('(any)', effect);
  }

  guard(state: string, name: string): Test {
    const guard = this.machine.implementations.guards[name] as Implementation | undefined;
    if (guard === undefined)
      return refuse(this.id, state, `guard ${name} that does not exist`, 'implement it in setup({ guards })');
    if (typeof guard !== 'function' || 'check' in guard) {
      return refuse(this.id, state, `composed guard ${name}`, 'write it as one function');
    }
    const { args } = this;
    return (actor, event) => {
      args.context = actor.context;
      args.event = event;
      return guard(args) === true;
    };
  }

  delay(state: string, name: string): DelayOf {
    const delay = this.machine.implementations.delays[name] as Implementation | number | undefined;
    if (typeof delay === 'number') return () => delay;
    if (delay === undefined)
      return refuse(this.id, state, `delay ${name} that does not exist`, 'implement it in setup({ delays })');
    const { args } = this;
    const noEvent = new NoEvent(this.id);
    return (actor) => {
      args.context = actor.context;
      args.event = noEvent;
      return delay(args) as number;
    };
  }

  action(state: string, name: string): Operation {
    const action = this.machine.implementations.actions[name] as
      | (Implementation & { type?: string; assignment?: Assignment })
      | undefined;
    const builtIn = action !== undefined && 'resolve' in action ? action.type : undefined;
    if (builtIn === undefined && this.effects.has(name)) return this.performer(state, name);
    if (builtIn === undefined) {
      return refuse(
        this.id,
        state,
        `action ${name} that is neither an effect nor an assign`,
        'add it to the effects of the machine',
      );
    }
    if (builtIn !== 'xstate.assign' || action?.assignment === undefined) {
      return refuse(
        this.id,
        state,
        `action ${name} of type ${builtIn}`,
        'name an effect and let its performer do it',
      );
    }
    return this.assign(state, name, action.assignment);
  }

  private performer(state: string, effect: string): Operation {
    const perform = this.performers[effect];
    if (typeof perform === 'function') return perform.bind(this.performers);
    return refuse(this.id, state, `effect ${effect} without a performer`, `give performers.${effect}`);
  }

  private assign(state: string, name: string, assignment: Assignment): Operation {
    const { args } = this;
    if (typeof assignment === 'function') {
      return (actor, event) => {
        args.context = actor.context;
        args.event = event;
        Object.assign(actor.context as TwoParts, assignment(args));
      };
    }
    const { control, ledger, ...others } = assignment;
    const other = Object.keys(others)[0];
    if (other !== undefined)
      refuse(this.id, state, `assign ${name} to context.${other}`, 'keep it in control or ledger');
    const hasControl = 'control' in assignment;
    const hasLedger = 'ledger' in assignment;
    const controlOf = typeof control === 'function' ? (control as Implementation) : () => control;
    const ledgerOf = typeof ledger === 'function' ? (ledger as Implementation) : () => ledger;
    return (actor, event) => {
      const context = actor.context as TwoParts;
      args.context = context;
      args.event = event;
      // Both parts are computed before either is replaced, as XState does.
      const nextControl = hasControl ? controlOf(args) : context.control;
      if (hasLedger) context.ledger = ledgerOf(args);
      context.control = nextControl;
    };
  }

  /** The function of the machine's `context`, with what it makes checked: two parts, of numbers only. */
  contextOf(): (input: unknown) => TwoParts {
    const { id } = this;
    const context = (this.machine.config as { context?: unknown }).context;
    const make =
      typeof context === 'function' ? (context as (args: object) => unknown) : () => copyOf(context);
    const args = new Args(id) as Args & { input: unknown };
    return (input) => {
      args.input = input;
      const made = make(args) as TwoParts;
      for (const key in made) {
        if (key !== 'control' && key !== 'ledger')
          refuse(id, '(context)', `context.${key}`, 'keep it in control or ledger');
      }
      demandNumbers(id, 'control', made?.control);
      demandNumbers(id, 'ledger', made?.ledger);
      return made;
    };
  }
}

/** Actors replace the parts of their context in place, so no two share one. */
function copyOf(context: unknown): object {
  return { ...(context as object) };
}

function demandNumbers(machine: string, part: string, values: unknown): void {
  if (typeof values !== 'object' || values === null) {
    refuse(machine, '(context)', `context without ${part}`, 'make the context { control, ledger }');
  }
  const row = values as Readonly<Record<string, unknown>>;
  for (const key in row) {
    if (typeof row[key] === 'number') continue;
    refuse(
      machine,
      '(context)',
      `${typeof row[key]} in ${part}.${key}`,
      'keep it beside the actor, under its id',
    );
  }
}
