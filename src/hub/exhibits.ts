// What else in the hub's process viewers are shown: training, pools, actors of the application.
// Invariant: read when it is told, never kept; what one of them throws is an answer, and harms nobody.
import type { Source } from '../inspect/stream/collector.ts';
import type { Operation, PoolSaid, TrainingSaid } from '../protocol/inspection.ts';

export interface Exhibit {
  /** Actors that are shown as the hub's own are. @default none */
  readonly source?: Source | undefined;
  training?(): TrainingSaid | undefined;
  pool?(): PoolSaid;
  /** What operators may do to it: answers in words what was done, or undefined when the target is not its own. */
  readonly acts?: Partial<Readonly<Record<Operation, (target: string | undefined) => string | undefined>>>;
}

/** Of a hub: shows viewers more than the hub itself. */
export interface Inspection {
  /** Of the page that shows all of it. */
  readonly url: string;
  /** From now on, until the function that it returns is called. */
  show(exhibit: Exhibit): () => void;
}

export class Exhibits {
  readonly #exhibits = new Set<Exhibit>();

  add(exhibit: Exhibit): () => void {
    this.#exhibits.add(exhibit);
    return () => void this.#exhibits.delete(exhibit);
  }

  get operations(): Operation[] {
    const all = [...this.#exhibits].flatMap(({ acts }) => Object.keys(acts ?? {}) as Operation[]);
    return [...new Set(all)];
  }

  shown(): { training?: TrainingSaid; pools?: PoolSaid[] } {
    let training: TrainingSaid | undefined;
    const pools: PoolSaid[] = [];
    for (const exhibit of this.#exhibits) {
      training ??= exhibit.training?.();
      const pool = exhibit.pool?.();
      if (pool !== undefined) pools.push(pool);
    }
    return { ...(training === undefined ? {} : { training }), ...(pools.length === 0 ? {} : { pools }) };
  }

  act(operation: Operation, target: string | undefined): { ok: boolean; message: string } {
    try {
      for (const { acts } of this.#exhibits) {
        const message = acts?.[operation]?.(target);
        if (message !== undefined) return { ok: true, message };
      }
    } catch (error) {
      return { ok: false, message: error instanceof Error ? error.message : String(error) };
    }
    return { ok: false, message: `nothing here can ${operation} ${target ?? ''}`.trim() };
  }
}
