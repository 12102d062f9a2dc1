// A machine actor as a part: its XState snapshot, its pending delays, and the answers that its process awaits.
// Invariant: the ledger of every local state is the first one, so two local states differ only where behaviour can.
import type { AnyMachineSnapshot, EventObject } from 'xstate';
import { viewOf, type ActorView } from './actor-view.ts';
import { createStepper, delayName, type Step, type Stepper } from '../engine/step.ts';
import { inWords, Part, QUIET, type Input, type Move, type Op, type Outcome, type Wiring } from './part.ts';
import type { Rename } from './renaming.ts';
import type { Choice, MachineActor, Message, SystemDefinition } from './system.ts';
import type { Numbered } from './values.ts';

interface Timer {
  readonly id: string;
  readonly event: EventObject;
}

interface Awaited {
  readonly key: string;
  readonly later: readonly Choice[];
}

export interface Local {
  /** Undefined while the actor is stopped. */
  readonly snapshot: AnyMachineSnapshot | undefined;
  readonly timers: readonly Timer[];
  readonly awaited: readonly Awaited[];
  /** What the instance before this one left; undefined while one runs. */
  readonly record: unknown;
}

interface SplitContext {
  readonly control: Readonly<Record<string, unknown>>;
  readonly ledger: unknown;
}

const isSplit = (context: unknown): context is SplitContext =>
  typeof context === 'object' && context !== null && 'control' in context && 'ledger' in context;

/** What an event leads to, whatever the actor's timers and awaited answers are. */
interface Reaction {
  readonly snapshot: AnyMachineSnapshot;
  readonly timers: Step['timers'];
  readonly ops: readonly Op[];
  readonly unexpected: boolean;
  /** In words. */
  readonly effects: readonly string[];
}

/** A snapshot that stands for all that behave as it does. */
interface Core extends Numbered {
  readonly snapshot: AnyMachineSnapshot;
  /** What events (and, of delays that end, their types) lead to. */
  readonly reactions: Map<unknown, Reaction>;
}

export class MachinePart extends Part<Local> {
  readonly views: ActorView[] = [];
  readonly #actor: MachineActor;
  readonly #definition: SystemDefinition;
  readonly #stepper: Stepper;
  /** Snapshots: few, in many combinations with timers and awaited answers. */
  readonly #coreOf = new Map<AnyMachineSnapshot, Core>();
  readonly #coreAt: (Core | undefined)[] = [];
  /** The moves of a delay, and of an answer that is awaited in a place of the list. */
  readonly #firings = new Map<string, readonly Move[]>();
  readonly #settlings = new Map<string, readonly Move[]>();
  #ledger: unknown;

  constructor(
    name: string,
    index: number,
    wiring: Wiring,
    actor: MachineActor,
    definition: SystemDefinition,
  ) {
    super(name, index, wiring);
    this.#actor = actor;
    this.#definition = definition;
    this.#stepper = createStepper(actor.machine, actor.effects);
  }

  begin(): Outcome {
    const stopped: Local = { snapshot: undefined, timers: [], awaited: [], record: undefined };
    if (this.#actor.started === false) return { next: this.intern(stopped), ...QUIET };
    return this.#start(stopped, undefined);
  }

  override get title(): string {
    return `${this.name} (machine ${this.#actor.machine.id})`;
  }

  view(local: number): ActorView {
    return (this.views[local] ??= viewOf((this.values[local] as Local).snapshot, this.#compared));
  }

  describe(local: number): string {
    const { snapshot, timers, awaited } = this.values[local] as Local;
    if (snapshot === undefined) return 'stopped';
    const { leaves, control } = this.view(local);
    const fields = Object.entries(control).map(
      ([field, value]) => `${field} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`,
    );
    const waits = [...timers.map(({ id }) => delayName(id)), ...awaited.map(({ key }) => `answer to ${key}`)];
    const where = leaves.join(' + ') || 'no states';
    const what = fields.length === 0 ? '' : ` (${fields.join(', ')})`;
    return `${where}${what}${waits.length === 0 ? '' : ` awaiting ${waits.join(', ')}`}`;
  }

  protected numberOf({ snapshot, timers, awaited, record }: Local): Numbered {
    const { pieces, name } = this;
    const { kinds } = this.wiring;
    const core = snapshot === undefined ? undefined : this.#core(snapshot);
    const delays = pieces.number(timers, `the timers of ${name}`);
    const answers = pieces.number(awaited, `an answer that ${name} awaits`);
    const left = pieces.number(record, `the record of ${name}`);
    return {
      number: pieces.numberOfAll([core?.number ?? -1, delays.number, answers.number, left.number]),
      kind: kinds.union(kinds.union(core?.kind ?? 0, delays.kind), kinds.union(answers.kind, left.kind)),
      length: (core?.length ?? 0) + delays.length + answers.length + left.length,
    };
  }

  #core(snapshot: AnyMachineSnapshot): Core {
    const known = this.#coreOf.get(snapshot);
    if (known !== undefined) return known;
    const { pieces, name } = this;
    const [child] = Object.keys(snapshot.children as object);
    if (child !== undefined) {
      throw new Error(
        `${this.title} has a child actor '${child}' in ${JSON.stringify(snapshot.value)}; give it a machine and a name ` +
          'of its own among `actors`, or have an effect in its place lead to `later`: what it may answer',
      );
    }
    const compared = this.#compared(snapshot.context);
    const history = Object.entries(snapshot.historyValue as Record<string, { id: string }[]>).map(
      ([id, nodes]) => [id, nodes.map((node) => node.id)],
    );
    const place = pieces.number([snapshot.value, history, snapshot.status], `the state of ${name}`);
    const held = this.#held(snapshot, compared);
    const number = pieces.numberOfAll([place.number, held.number]);
    const equal = this.#coreAt[number];
    if (equal !== undefined) return equal;
    const kept = this.#withControl(snapshot, compared);
    const core: Core = { ...held, number, snapshot: kept, reactions: new Map() };
    this.#coreAt[number] = core;
    this.#coreOf.set(kept, core);
    return core;
  }

  #held({ value }: AnyMachineSnapshot, compared: unknown): Numbered {
    const where = () =>
      `machine ${this.#actor.machine.id} in ${JSON.stringify(value)}: the context of ${this.name}`;
    try {
      return this.pieces.number(compared, where);
    } catch (cause) {
      const { message } = cause as Error; // nothing else is thrown there
      throw new Error(`${message}; what decides nothing can be left out by a \`projection\``, { cause });
    }
  }

  /** What of a context is compared. */
  readonly #compared = (context: unknown): unknown => {
    const { projection } = this.#actor;
    if (projection === undefined) return isSplit(context) ? context.control : context;
    const fields = context as Readonly<Record<string, unknown>>;
    return Object.fromEntries(projection.map((name) => [name, fields[name]]));
  };

  /** Another context, or other fields that are compared with the first of all that is not. */
  #withControl(snapshot: AnyMachineSnapshot, control: unknown): AnyMachineSnapshot {
    const context =
      this.#actor.projection !== undefined
        ? { ...(this.#ledger as object), ...(control as object) }
        : isSplit(snapshot.context as unknown)
          ? { control, ledger: this.#ledger }
          : control;
    return { ...snapshot, context } as AnyMachineSnapshot;
  }

  /** Keeps the first ledger, or the first context of which a projection is compared. */
  #keepLedger(context: unknown): void {
    if (this.#ledger !== undefined) return;
    const { projection } = this.#actor;
    if (projection === undefined) {
      if (isSplit(context)) this.#ledger = context.ledger;
      return;
    }
    const missing = projection.find((name) => !Object.hasOwn(context as object, name));
    if (missing !== undefined)
      throw new Error(
        `the projection of ${this.title} names '${missing}', which its first context has not; it has ` +
          Object.keys(context as object).join(', '),
      );
    this.#ledger = context;
  }

  protected renumbered({ snapshot, timers, awaited, record }: Local, masks: Int32Array): Local {
    const { pieces } = this;
    return {
      snapshot: snapshot === undefined ? undefined : this.#renumberedCore(snapshot, masks),
      timers: pieces.renumbered(timers, masks),
      awaited: pieces.renumbered(awaited, masks),
      record: pieces.renumbered(record, masks),
    };
  }

  #renumberedCore(snapshot: AnyMachineSnapshot, masks: Int32Array): AnyMachineSnapshot {
    const compared = this.#compared(snapshot.context);
    const renewed = this.pieces.renumbered(compared, masks);
    return renewed === compared ? snapshot : this.#core(this.#withControl(snapshot, renewed)).snapshot;
  }

  protected override renamed({ snapshot, timers, awaited, record }: Local, rename: Rename): Local {
    return {
      snapshot: snapshot === undefined ? undefined : this.#withNames(snapshot, rename),
      timers,
      awaited: awaited
        .map(({ key, later }) => ({ key: rename(key), later: later.map(rename) }))
        .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)),
      record: rename(record),
    };
  }

  #withNames(snapshot: AnyMachineSnapshot, rename: Rename): AnyMachineSnapshot {
    const { context } = snapshot as { readonly context: unknown };
    this.#keepLedger(context);
    return this.#withControl(snapshot, rename(this.#compared(context)));
  }

  protected react(value: Local, input: Input, local: number): Outcome {
    const { snapshot, timers, awaited } = value;
    if (input.is === 'start') return this.#start(value, input.input);
    if (snapshot === undefined) return { next: local, ...QUIET };
    if (input.is === 'stop') return { next: this.intern(this.#stopped(snapshot)), ...QUIET };
    if (snapshot.status !== 'active') return { next: local, ...QUIET };
    if (input.is === 'await')
      return { next: this.intern({ ...value, awaited: withAwaited(awaited, input) }), ...QUIET };
    if (input.is === 'settle')
      return { next: this.intern({ ...value, awaited: awaited.toSpliced(input.index, 1) }), ...QUIET };
    if (input.is === 'fire') {
      const due = timers.find(({ id }) => id === input.timer);
      if (due === undefined) return { next: local, ...QUIET };
      const rest = { ...value, timers: timers.filter((timer) => timer !== due) };
      return this.#settled(rest, this.#reaction(snapshot, due.event.type, due.event));
    }
    if (input.is !== 'event') throw new Error(`${this.name} is an actor; it cannot take ${input.is}`);
    return this.#settled(value, this.#reaction(snapshot, input.event, input.event));
  }

  protected offer({ snapshot, timers, awaited }: Local): readonly Move[] {
    if (snapshot?.status !== 'active') return [];
    return [
      ...timers.flatMap(({ id }) => this.#firing(id)),
      ...awaited.flatMap(({ later }, index) => this.#settling(later, index)),
    ];
  }

  #firing(id: string): readonly Move[] {
    const known = this.#firings.get(id);
    if (known !== undefined) return known;
    const { wiring, index: part } = this;
    const allowed = this.#definition.fires?.(this.name, delayName(id)) ?? true;
    const budget = wiring.budget(typeof allowed === 'string' ? allowed : undefined, this.name);
    const ops = [{ part, input: wiring.input({ is: 'fire', timer: id }) }];
    const label = `${delayName(id)} of ${this.name} runs out`;
    const moves = allowed === false ? [] : [this.one({ ops, fault: false, budget, label })];
    this.#firings.set(id, moves);
    return moves;
  }

  #settling(later: readonly Choice[], index: number): readonly Move[] {
    const { wiring, index: part } = this;
    const key = `${this.pieces.number(later, this.name).number} ${index}`;
    const known = this.#settlings.get(key);
    if (known !== undefined) return known;
    const settle = { part, input: wiring.input({ is: 'settle', index }) };
    const moves = later.map((choice) => this.one(wiring.settleMove(choice, this.name, [settle])));
    this.#settlings.set(key, moves);
    return moves;
  }

  #start({ record }: Local, given: unknown): Outcome {
    const own = this.#actor.input;
    const input: unknown =
      given ?? (typeof own === 'function' ? (own as (record: unknown) => unknown)(record) : own);
    const fresh: Local = { snapshot: undefined, timers: [], awaited: [], record: undefined };
    return this.#settled(fresh, this.#react(this.#try('its start', () => this.#stepper.start(input))));
  }

  #stopped(snapshot: AnyMachineSnapshot): Local {
    const record = this.#actor.record?.(snapshot.context as never);
    return { snapshot: undefined, timers: [], awaited: [], record };
  }

  /** Equal events are one object (or, of timers, one type), so each is stepped once in each core. */
  #reaction(snapshot: AnyMachineSnapshot, key: unknown, event: EventObject): Reaction {
    const core = this.#core(snapshot);
    let found = core.reactions.get(key);
    if (found === undefined) {
      // Whatever reads `at` writes it to the ledger. The end of a delay carries none.
      const stamped = key !== event || 'at' in event ? event : { ...event, at: 0 };
      found = this.#react(this.#try(event.type, () => this.#stepper.step(core.snapshot, stamped)));
      core.reactions.set(key, found);
    }
    return found;
  }

  /** What a step of the machine leads to, and where its effects go. */
  #react({ snapshot, timers, effects, unexpected }: Step): Reaction {
    this.#keepLedger(snapshot.context);
    const ops: Op[] = [];
    for (const effect of effects) {
      const outputs = this.#definition.route(this.name, effect);
      if (outputs === undefined) {
        throw new Error(
          `nobody routes effect '${effect.type}' of ${this.title} on its way to ` +
            `${JSON.stringify(snapshot.value)}; let route answer [] if it does not matter`,
        );
      }
      ops.push(...this.wiring.ops(outputs, this.name));
    }
    return {
      snapshot: this.#core(snapshot).snapshot,
      timers,
      ops,
      unexpected,
      effects: effects.map(({ type, payload }) => inWords({ ...payload, type } as Message)),
    };
  }

  /** The local state after a reaction. */
  #settled(before: Local, { snapshot, timers: changes, ops, unexpected, effects }: Reaction): Outcome {
    let timers = before.timers;
    for (const change of changes) {
      const id = 'set' in change ? change.set : change.cleared;
      timers = timers.filter((timer) => timer.id !== id);
      if ('set' in change) timers = [...timers, { id, event: change.event }];
    }
    const done = snapshot.status === 'done';
    const next = this.intern({
      snapshot,
      timers: done ? [] : changes.length === 0 ? timers : timers.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
      awaited: done ? [] : before.awaited,
      record: undefined,
    });
    return { next, ops, unexpected, effects };
  }

  #try(what: string, run: () => Step): Step {
    try {
      return run();
    } catch (cause) {
      throw new Error(
        `machine ${this.#actor.machine.id} of ${this.name} failed on ${what}: ${String(cause)}`,
        { cause },
      );
    }
  }
}

/** Sorted by key; within a key the oldest first, and the oldest goes when there are too many. */
function withAwaited(
  awaited: readonly Awaited[],
  { key, later, atMost }: Input & { is: 'await' },
): readonly Awaited[] {
  const same = awaited.filter((one) => one.key === key);
  const kept = [...same, { key, later }].slice(-atMost);
  return [...awaited.filter((one) => one.key !== key), ...kept].sort((a, b) =>
    a.key < b.key ? -1 : a.key > b.key ? 1 : 0,
  );
}
