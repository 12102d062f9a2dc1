// Which nodes of the fleet can train, which of their instances is the present one, and what each of these has.
// Invariant: of a node's changes those of an older epoch change nothing.
import type { Fleet, NodeChange } from './contract.ts';
import { EVALUATE, SYNC, TRAIN } from './wire.ts';

/** A node that can train, as it is now. */
export interface Trainee {
  readonly node: string;
  readonly instance: string;
  readonly epoch: number;
  readonly evaluates: 'yes' | 'no';
}

export interface MembershipListener {
  joined(trainee: Trainee): void;
  left(trainee: Trainee): void;
}

export class Membership {
  readonly #trainees = new Map<string, Trainee>();
  /** Hash of the model that an instance acknowledged last; it keeps that while it is away. */
  readonly #models = new Map<string, string>();
  #stop: () => void = () => {};

  /** Tells of those that are there before it returns. */
  open(fleet: Fleet, listener: MembershipListener): void {
    this.#stop = fleet.watch((change) => this.#changed(change, listener));
  }

  /** Undefined when it is away. */
  get(node: string): Trainee | undefined {
    return this.#trainees.get(node);
  }

  /** Instances that are online. */
  get size(): number {
    return this.#trainees.size;
  }

  modelOf({ instance }: Trainee): string | undefined {
    return this.#models.get(instance);
  }

  /** It acknowledged this model; undefined: nobody knows what it has. */
  keeps({ node, instance }: Trainee, model: string | undefined): void {
    if (model === undefined || this.#trainees.get(node)?.instance !== instance) this.#models.delete(instance);
    else this.#models.set(instance, model);
  }

  close(): void {
    this.#stop();
    this.#trainees.clear();
    this.#models.clear();
  }

  #changed({ node, instance, state, epoch, functions }: NodeChange, listener: MembershipListener): void {
    const before = this.#trainees.get(node);
    if (state === 'gone') this.#models.delete(instance);
    if (state !== 'online') {
      if (before?.epoch !== epoch) return;
      this.#trainees.delete(node);
      return listener.left(before);
    }
    if (!functions.includes(SYNC) || !functions.includes(TRAIN)) return;
    if (before !== undefined && before.epoch >= epoch) return;
    const evaluates = functions.includes(EVALUATE) ? 'yes' : 'no';
    const trainee: Trainee = { node, instance, epoch, evaluates };
    this.#trainees.set(node, trainee);
    listener.joined(trainee);
  }
}
