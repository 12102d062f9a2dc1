// Those who want to hear of nodes as they come online, go away and are gone.
// Invariant: whoever listens hears of each node that is there first, then of each change, in order and once.
import type { Log } from '../ports.ts';
import type { NodeChange } from '../training/contract.ts';
import type { Member } from './member.ts';

export type NodeListener = (change: NodeChange) => void;

export class NodeWatchers {
  readonly #log: Log;
  readonly #listeners = new Set<NodeListener>();
  /** What was told last of each instance that was online and is not gone. */
  readonly #present = new Map<string, NodeChange>();
  /** One count for all nodes: an instance that follows another under the same id has the greater number. */
  #epoch = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  watch(listener: NodeListener): () => void {
    // An entry of its own for each call, so that the same function may listen twice.
    const own: NodeListener = (change) => listener(change);
    for (const change of [...this.#present.values()]) this.#tell(own, change);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  /** A member's session is in this state now. */
  moved(member: Member, session: string): void {
    if (member.role !== 'node') return;
    const { id, instance, functions, labels } = member;
    const known = this.#present.get(instance);
    // A node that is silent for a while is not given up, and may only be busy.
    if (session === 'online' || session === 'suspect') {
      if (known?.state === 'online') return;
      this.#epoch += 1;
      const epoch = this.#epoch;
      return this.#keep({ node: id, instance, state: 'online', epoch, functions, labels });
    }
    if (known?.state === 'online') this.#keep({ ...known, state: 'away' });
  }

  gone({ instance }: Member): void {
    const known = this.#present.get(instance);
    if (known === undefined) return;
    this.#present.delete(instance);
    this.#tellAll({ ...known, state: 'gone' });
  }

  #keep(change: NodeChange): void {
    this.#present.set(change.instance, change);
    this.#tellAll(change);
  }

  #tellAll(change: NodeChange): void {
    for (const listener of [...this.#listeners])
      if (this.#listeners.has(listener)) this.#tell(listener, change);
  }

  #tell(listener: NodeListener, change: NodeChange): void {
    try {
      listener(change);
    } catch (error) {
      const fields = { node: change.node, error: String(error) };
      this.#log.error(fields, `a listener of watchNodes threw: ${String(error)}`);
    }
  }
}
