// Ties a machine's effects to the performers that carry them out.
// Invariant: `provide` runs once for each machine, never for each actor; a missing performer does not compile.
import type { AnyActorRef, AnyStateMachine } from 'xstate';
import type { EffectArgs, Effects } from '../../machines/types.ts';

/** One performer for each effect, called with the effect's payload. */
export type Performers<E extends Effects<never>> = {
  readonly [K in keyof E]: (payload: ReturnType<E[K]>) => void;
};

type AnyPerformers = Readonly<Record<string, (payload: never) => void>>;

/** A machine whose effects find their way to the performers of the actor that runs it. */
export interface Driven<M extends AnyStateMachine = AnyStateMachine> {
  readonly machine: M;
  readonly performers: AnyPerformers;
}

const provided = new WeakMap<AnyStateMachine, AnyStateMachine>();
/** Hears of each effect before it is performed; undefined while nobody listens. */
export interface EffectListener {
  readonly effect: ((actor: string, effect: string, payload: unknown) => void) | undefined;
}

interface Bound {
  readonly performers: AnyPerformers;
  readonly listener: EffectListener | undefined;
}

const boundTo = new WeakMap<AnyActorRef, Bound>();

function provideOnce(machine: AnyStateMachine, effects: Effects<never>): AnyStateMachine {
  const known = provided.get(machine);
  if (known !== undefined) return known;
  const actions: Record<string, (args: EffectArgs<never> & { self: AnyActorRef }) => void> = {};
  for (const [name, payloadOf] of Object.entries(effects)) {
    actions[name] = (args) => {
      const bound = boundTo.get(args.self);
      const perform = bound?.performers[name];
      if (perform === undefined)
        throw new Error(`actor ${args.self.id} runs effect ${name} without performers`);
      const payload = payloadOf(args) as never;
      bound?.listener?.effect?.(args.self.id, name, payload);
      perform(payload);
    };
  }
  const driven = machine.provide({ actions } as never);
  provided.set(machine, driven);
  return driven;
}

/** Demands a performer for every effect of `machine`, with the payload's type. */
export function drive<M extends AnyStateMachine, E extends Effects<never>>(
  machine: M,
  effects: E,
  performers: Performers<E>,
): Driven<M> {
  return { machine: provideOnce(machine, effects) as M, performers };
}

/** Called by whoever creates the actor, before it starts. */
export function bindPerformers(actor: AnyActorRef, { performers }: Driven, listener?: EffectListener): void {
  boundTo.set(actor, { performers, listener });
}
