// The failure queue as a pool sees it: the machine's actor, and what operators ask of it.
// Invariant: everything that is known of membership, order and totals is read from the machine.
import {
  failureQueueEffects,
  failureQueueMachine,
  failureQueueRecord,
  type FailureQueueRecord,
  type QueuePhase,
  type QueueTotals,
} from '../../machines/failure-queue.ts';
import type { Actor } from '../actors/actor.ts';
import type { System } from '../actors/system.ts';
import type { PoolSettings } from './options.ts';

/** What is left of all times is written down this often, in milliseconds: a crash costs no more. */
const CHECKPOINT_MS = 1_000;

export interface QueueEntry {
  readonly endpoint: string;
  /** `held`: it was verified `maxVerifications` times in vain; `retry` or `clear` it. */
  readonly phase: Exclude<QueuePhase, 'out'>;
  /** Milliseconds until it may be probed. */
  readonly remainingMs: number;
  /** Verifications that failed in a row, where `maxVerifications` is set. */
  readonly verifications: number;
  readonly ejections: number;
}

export interface QueueStatus extends QueueTotals {
  readonly size: number;
  readonly probing: number;
  readonly held: number;
}

export interface QueueOptions {
  readonly system: System;
  readonly settings: PoolSettings;
  readonly record: FailureQueueRecord;
  granted(endpoint: string, epoch: number): void;
  released(endpoint: string): void;
  /** The record has changed; `newest` reads it. */
  keep(newest: () => FailureQueueRecord): void;
}

export class FailureQueue {
  readonly #system: System;
  readonly #actor: Actor<typeof failureQueueMachine>;

  constructor(options: QueueOptions) {
    const { system, settings, record } = options;
    this.#system = system;
    const newest = () => failureQueueRecord(this.#actor.snapshot().context);
    this.#actor = system.spawn(failureQueueMachine, {
      id: 'failure-queue',
      input: {
        slots: settings.maxProbes,
        maxVerifications: settings.maxVerifications,
        checkpointMs: CHECKPOINT_MS,
        record,
      },
      effects: failureQueueEffects,
      performers: {
        grantSlots: ({ grants }) => {
          for (const { endpoint, epoch } of grants) options.granted(endpoint, epoch);
        },
        releaseEndpoints: ({ endpoints }) => {
          for (const endpoint of endpoints) options.released(endpoint);
        },
        readTime: () => this.#actor.send({ type: 'time.read' }),
        reportElapsed: ({ waiting }) => {
          for (const { endpoint, epoch, remainingMs } of waiting)
            if (remainingMs <= 0) this.#actor.send({ type: 'wait.elapsed', endpoint, epoch });
        },
        keepRecord: () => options.keep(newest),
      },
    });
  }

  open(): void {
    this.#actor.send({ type: 'queue.opened' });
  }

  ejected(endpoint: string, facts: { epoch: number; waitMs: number; ejections: number }): void {
    this.#actor.send({ type: 'endpoint.ejected', endpoint, ...facts });
  }

  recovered(endpoint: string, epoch: number): void {
    this.#actor.send({ type: 'endpoint.recovered', endpoint, epoch });
  }

  removed(endpoint: string): void {
    this.#actor.send({ type: 'endpoint.removed', endpoint });
  }

  retry(endpoint: string): void {
    this.#actor.send({ type: 'retry.requested', endpoint });
  }

  clear(): void {
    this.#actor.send({ type: 'clear.requested' });
  }

  /** The record is given to be kept once more. */
  stop(): void {
    if (this.#actor.status === 'active') this.#actor.send({ type: 'stop.requested' });
  }

  /** In the order of the queue. */
  list(): QueueEntry[] {
    const { control, ledger } = this.#actor.snapshot().context;
    const now = this.#system.clock.now();
    const facts = new Map(ledger.facts.map((fact) => [fact.endpoint, fact]));
    return control.entries.flatMap(({ endpoint, phase, verifications }) => {
      if (phase === 'out') return [];
      const { dueAt = now, ejections = 0 } = facts.get(endpoint) ?? {};
      const leftMs = phase === 'waiting' ? dueAt - now : 0;
      return [{ endpoint, phase, remainingMs: Math.max(0, leftMs), verifications, ejections }];
    });
  }

  status(): QueueStatus {
    const entries = this.list();
    const { totalFailed, totalRecovered, totalProbes, totalCleared } = this.#actor.snapshot().context.ledger;
    return {
      size: entries.length,
      probing: entries.filter(({ phase }) => phase === 'probing').length,
      held: entries.filter(({ phase }) => phase === 'held').length,
      totalFailed,
      totalRecovered,
      totalProbes,
      totalCleared,
    };
  }
}
