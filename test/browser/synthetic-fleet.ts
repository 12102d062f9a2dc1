// A believable fleet that exists in messages only: nodes that work, lose their hub and come back, training, endpoints.
// Invariant: the same seed and the same calls give the same messages.
import type { MachineSaid, NodeRow, StateValue, Step, Told } from '../../src/protocol/inspection.ts';
import { toDocument } from '../../src/inspect/document.ts';
import { connectionMachine } from '../../machines/connection.ts';
import { sessionMachine } from '../../machines/session.ts';

export interface SyntheticOptions {
  readonly nodes: number;
  readonly seed?: number;
  /** Names of nodes, one each; more are made up. */
  readonly names?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
}

const connected = { connected: { liveness: 'listening', health: 'waiting', stability: 'proven' } };

/** What happens to a node whose hub was lost, and when, in milliseconds from the loss. */
const recovery: readonly (readonly [afterMs: number, event: string, from: StateValue, to: StateValue])[] = [
  [0, 'socket.closed', connected, 'transient_failure'],
  [5, 'socket.released', 'transient_failure', 'backoff'],
  [800, 'xstate.after.backoffDelay', 'backoff', { establishing: 'reconnecting' }],
  [1_000, 'socket.opened', { establishing: 'reconnecting' }, { establishing: 'registering' }],
  [1_040, 'registration.accepted', { establishing: 'registering' }, connected],
];

export class SyntheticFleet {
  readonly ids: readonly string[];
  at = 1_000;
  #clock = 0;
  #seed: number;
  readonly #labels: Readonly<Record<string, string>>;
  readonly #seq = new Map<string, number>();
  readonly #executed = new Map<string, number>();
  #turn = 0;

  constructor({ nodes, seed = 1, names = [], labels = { zone: 'a' } }: SyntheticOptions) {
    this.#seed = seed;
    this.#labels = labels;
    this.ids = Array.from({ length: nodes }, (_, index) => names[index] ?? `n${index + 1}`);
  }

  /** What a viewer is told first. */
  beginning(may: readonly ('drain' | 'disconnect' | 'pause' | 'retry')[] = []): Told[] {
    const { at } = this;
    const role = 'node' as const;
    return [
      { kind: 'hello', version: 1, process: 'hub/1f3c', role: 'hub', name: 'hub', at, may: [...may] },
      { kind: 'process', process: 'hub/1f3c', role: 'hub', name: 'hub', at, state: 'here' },
      ...this.ids.map((id): Told => ({
        kind: 'process',
        process: processOf(id),
        role,
        name: id,
        at,
        state: 'here',
      })),
      documentOf(connectionMachine),
      documentOf(sessionMachine),
      {
        kind: 'present',
        process: 'hub/1f3c',
        at,
        actors: this.ids.map((id) => this.#actor(`session/${id}`, 'session', 'online')),
      },
      ...this.ids.map((id): Told => ({
        kind: 'present',
        process: processOf(id),
        at,
        actors: [this.#actor('connection', 'connection', connected)],
      })),
      this.fleet('whole'),
    ];
  }

  /** The rows: all of them, or a slice that changed. */
  fleet(which: 'whole' | 'changed'): Told {
    const share = which === 'whole' ? this.ids : this.ids.filter((_, index) => index % 4 === this.#turn % 4);
    this.#turn += 1;
    return {
      kind: 'fleet',
      at: this.at,
      whole: which === 'whole',
      nodes: share.map((id) => this.#row(id)),
      gone: [],
      hub: {
        ...{
          instance: '1f3c',
          url: 'ws://127.0.0.1:4700',
          state: 'listening',
          uptimeMs: this.at,
          lagMs: 1.2,
        },
        ...{ nodes: this.ids.length, clients: 3, connections: this.ids.length + 3, waiting: 4, running: 12 },
        ...{ ended: { succeeded: 120_400, failed: 12 }, unexpectedEvents: 0, deadLetters: 0 },
      },
      training: {
        gate: {
          state: 'open',
          online: this.ids.length,
          minNodes: 3,
          budgetUsedMs: 42_000,
          budgetMs: 300_000,
        },
        round: { number: 24, state: 'training', asked: 12, answered: 7 },
        history: Array.from({ length: 23 }, (_, round) => ({
          round: round + 1,
          loss: 2.3 * 0.86 ** round + 0.08,
          accuracy: 0.97 - 0.85 * 0.82 ** round,
        })),
      },
      pools: [
        {
          name: 'models',
          endpoints: ['gpu-1:8000', 'gpu-2:8000', 'gpu-3:8000'].map((id, index) => ({
            id,
            state: index === 2 ? 'ejected' : 'healthy',
            inFlight: 4 - index,
            totalRequests: 18_200 + index,
            failedRequests: index * 14,
            ejections: index === 2 ? 1 : 0,
          })),
          queue: { size: 1, probing: 0, held: 0 },
          requests: 54_600,
          retries: 31,
          waiting: [{ endpoint: 'gpu-3:8000', phase: 'waiting' }],
        },
      ],
    };
  }

  /** `count` transitions within `overMs`: heartbeats, and now and then a node that is suspected and cleared. */
  steps(count: number, overMs: number): Step[] {
    return Array.from({ length: count }, () => {
      this.at += overMs / count;
      const id = this.ids[this.#random() % this.ids.length] ?? '';
      return this.#random() % 5 === 0
        ? this.#step('hub/1f3c', `session/${id}`, 'session', 'heartbeat.seen', 'online', 'online')
        : this.#step(processOf(id), 'connection', 'connection', 'link.active', connected, connected);
    });
  }

  /** The steps of nodes whose hub was lost now, in the order of time; afterwards they are connected again. */
  outage(ids: readonly string[] = this.ids): Step[] {
    const start = this.at;
    const steps = recovery.flatMap(([afterMs, event, from, to]) =>
      ids.map((id) => {
        this.at = start + afterMs;
        return this.#step(processOf(id), 'connection', 'connection', event, from, to);
      }),
    );
    this.at = start + 1_100;
    return steps;
  }

  #step(
    process: string,
    actor: string,
    machine: string,
    type: string,
    from: StateValue,
    to: StateValue,
  ): Step {
    const key = `${process} ${actor}`;
    const seq = (this.#seq.get(key) ?? 1) + 1;
    this.#seq.set(key, seq);
    this.#clock += 1;
    return {
      kind: 'step',
      process,
      actor,
      machine,
      seq,
      at: this.at,
      clock: this.#clock,
      event: { type },
      from,
      to,
    };
  }

  #actor(actor: string, machine: string, state: StateValue) {
    return { actor, machine, seq: 1, since: this.at, state };
  }

  #row(id: string): NodeRow {
    const executed = (this.#executed.get(id) ?? this.#random() % 9_000) + (this.#random() % 40);
    this.#executed.set(id, executed);
    return {
      id,
      state: this.#random() % 40 === 0 ? 'suspect' : 'online',
      callsPerSecond: (this.#random() % 400) / 10,
      running: this.#random() % 6,
      waiting: this.#random() % 3,
      executed,
      lastInboundAt: this.at - (this.#random() % 4_000),
      firstSeenAt: 200,
      address: '10.0.0.7:51000',
      functions: 4,
      labels: { ...this.#labels },
    };
  }

  /** xorshift32 (Marsaglia, 2003). */
  #random(): number {
    this.#seed ^= this.#seed << 13;
    this.#seed ^= this.#seed >>> 17;
    this.#seed ^= this.#seed << 5;
    return this.#seed >>> 0;
  }
}

export function processOf(id: string): string {
  return `node/${id}/9ab2`;
}

function documentOf(machine: Parameters<typeof toDocument>[0]): MachineSaid {
  const { document } = toDocument(machine, { input: undefined });
  return { kind: 'machine', machine: machine.id, document: document as unknown as MachineSaid['document'] };
}
