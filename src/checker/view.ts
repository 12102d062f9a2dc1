// What properties see of a global state.
// Invariant: reading never changes anything; one view is reused for all states, so properties must not keep it.
import type { ActorView } from './actor-view.ts';
import { ChannelPart } from './channel-part.ts';
import type { Composition } from './composition.ts';
import { MachinePart } from './machine-part.ts';
import { ModelPart } from './model-part.ts';
import type { Message } from './system.ts';

export interface View {
  /** @throws Error when `name` is not a machine actor */
  actor(name: string): ActorView;
  /** The state of a model actor, whose type the caller knows. @throws Error when `name` is not a model actor */
  model<S>(name: string): S;
  /** What is in flight, the oldest first on an ordered channel. @throws Error when `name` is not a channel */
  channel(name: string): readonly Message[];
  /** How much is left of a budget. @throws Error when there is no such budget */
  budget(name: string): number;
}

export class StateView implements View {
  readonly state: Int32Array;
  readonly #composition: Composition;
  readonly #machines = new Map<string, MachinePart>();
  readonly #models = new Map<string, ModelPart>();
  readonly #channels = new Map<string, ChannelPart>();
  /** Gets each column of the state that is asked for, when it is asked for first. */
  #asked: number[] | undefined;

  constructor(composition: Composition, state: Int32Array) {
    this.state = state;
    this.#composition = composition;
    for (const part of composition.parts) {
      if (part instanceof MachinePart) this.#machines.set(part.name, part);
      else if (part instanceof ModelPart) this.#models.set(part.name, part);
      else if (part instanceof ChannelPart) this.#channels.set(part.name, part);
    }
  }

  actor(name: string): ActorView {
    const part = this.#machines.get(name);
    if (part === undefined) throw new Error(`'${name}' is no machine actor of this system`);
    return part.view(this.#local(part.index));
  }

  model<S>(name: string): S {
    const part = this.#models.get(name);
    if (part === undefined) throw new Error(`'${name}' is no model actor of this system`);
    return part.values[this.#local(part.index)] as S; // the caller knows the type of its own model
  }

  channel(name: string): readonly Message[] {
    const part = this.#channels.get(name);
    if (part === undefined) throw new Error(`'${name}' is no channel of this system`);
    return part.values[this.#local(part.index)] as readonly Message[];
  }

  budget(name: string): number {
    this.#local(this.state.length - 1);
    return this.#composition.budgetLeft(this.state, name);
  }

  /** What `predicate` answers; `asked` gets the columns of the state that it asked for. */
  watched(asked: number[], predicate: (view: View) => boolean): boolean {
    this.#asked = asked;
    try {
      return predicate(this);
    } finally {
      this.#asked = undefined;
    }
  }

  #local(column: number): number {
    if (this.#asked !== undefined && !this.#asked.includes(column)) this.#asked.push(column);
    return this.state[column] as number;
  }
}
