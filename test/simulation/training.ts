// A trainer behind a real hub, nodes that train, and a disk that outlives both, each process on a simulated host of its own.
// Invariant: what nodes answer depends on (node, round, weights) alone, so equal participants make equal models.
import { withCall } from '../../src/calls/functions.ts';
import { createNodeDigest } from '../../src/adapters/node-digest.ts';
import { HubFleet } from '../../src/client/hub-fleet.ts';
import { startHub } from '../../src/hub/hub.ts';
import type { HubOptions } from '../../src/hub/options.ts';
import type { Hub } from '../../src/hub/status.ts';
import { startNode, type FleetNode, type NodeOptions } from '../../src/node/node.ts';
import type { Log, Metrics } from '../../src/ports.ts';
import { applyBatch } from '../../src/store/apply.ts';
import type { Backend } from '../../src/store/backend.ts';
import type { Store } from '../../src/store/contract.ts';
import { openLocalStore } from '../../src/store/local-store.ts';
import { MemoryKeyspace } from '../../src/store/memory-keyspace.ts';
import {
  createSimulation,
  Prng,
  type Host,
  type Simulation,
  type SimulationOptions,
} from '../../src/testing/index.ts';
import type { Fleet, TrainingTask, TrainingUpdate, Weights } from '../../src/training/contract.ts';
import type { RoundReport, Trainer, TrainingEvent, TrainingOutcome } from '../../src/training/events.ts';
import type { TrainerOptions } from '../../src/training/options.ts';
import { createTrainee, type TraineeOptions } from '../../src/training/trainee.ts';
import { createTrainerOver } from '../../src/training/trainer.ts';
import {
  SYNC,
  TRAIN,
  type RefusedUpdate,
  type SyncRequest,
  type TrainRequest,
} from '../../src/training/wire.ts';

const HUB_URL = 'ws://127.0.0.1:7070';
const digest = createNodeDigest();

const noMetrics: Metrics = {
  count() {},
  gauge() {},
  render: () => Promise.resolve({ status: 200, contentType: 'text/plain', body: '' }),
};

/** A number that depends on the text alone. */
function numberOf(text: string): number {
  return new Prng(1, text).fraction();
}

export const firstModel: Weights = [
  { shape: [2, 2], data: new Float32Array([0.5, -0.25, 0.125, 1]) },
  { shape: [], data: new Float64Array([1 / 3]) },
];

/** Deterministic, and different for each node and round. */
export function updateOf(
  node: string,
  { round, weights }: Pick<TrainingTask, 'round' | 'weights'>,
): TrainingUpdate {
  const pull = numberOf(`${node} ${round}`) - 0.5;
  for (const { data } of weights) data.forEach((value, at) => (data[at] = value * 0.9 + pull * (at + 1)));
  return { weights, samples: 1 + Math.floor(numberOf(node) * 100), metrics: { loss: Math.abs(pull) } };
}

/** A disk: each opening is a process of its own, whose writes take a while, and stop with it. */
export class Disk {
  readonly #keyspace = new MemoryKeyspace();
  /** Called for each write, before and after it has happened. */
  onWrite: (when: 'before' | 'after') => void = () => {};

  open(host: Host, log: Log, writeMs = 2): Promise<Store> {
    const { clock, random } = host;
    const after = (ms: number): Promise<void> => new Promise((resolve) => void clock.setTimer(resolve, ms));
    const backend: Backend = {
      engine: 'file',
      durable: true,
      maxBatches: 1,
      run: async (commands) => {
        const writes = commands.some(({ type }) => type === 'put' || type === 'delete' || type === 'txn');
        if (writes) this.onWrite('before');
        await after(writeMs / 2);
        const outcome = applyBatch(this.#keyspace, commands);
        if (writes) this.onWrite('after');
        await after(writeMs / 2);
        return outcome;
      },
      close: () => Promise.resolve(),
    };
    return openLocalStore(backend, { clock, random, log });
  }
}

export interface TrainingNode {
  readonly id: string;
  readonly host: Host;
  readonly node: FleetNode;
  /** Models that it was sent, and tasks that it was given. */
  readonly syncs: SyncRequest[];
  readonly tasks: TrainRequest[];
  readonly refused: RefusedUpdate[];
}

export interface TrainingLife {
  readonly host: Host;
  readonly hub: Hub;
  readonly store: Store;
  readonly trainer: Trainer;
  readonly rounds: RoundReport[];
  /** With the time of the simulation. */
  readonly events: (TrainingEvent & { readonly at: number })[];
  outcome: TrainingOutcome | undefined;
  failure: unknown;
}

export type NodeTraining = Partial<TraineeOptions> & {
  /** How long it trains. @default 20 */
  readonly trainMs?: number | (() => number);
  readonly times?: Partial<NodeOptions>;
};

export type LifeOptions = Omit<Partial<TrainerOptions>, 'store'> & {
  readonly hub?: HubOptions;
  /** Stands between the trainer and the fleet. */
  readonly through?: (fleet: Fleet) => Fleet;
};

export class TrainingWorld {
  readonly sim: Simulation;
  readonly disk = new Disk();
  readonly nodes = new Map<string, TrainingNode>();
  life: TrainingLife | undefined;
  /** What a log should never say. */
  readonly defects: string[] = [];
  #lives = 0;
  readonly #births = new Map<string, number>();

  constructor(options: SimulationOptions) {
    this.sim = createSimulation({ latencyMs: 1, ...options });
  }

  #log(host: Host): Log {
    const line = (level: string) => (_fields: object, message: string) => {
      if (host.state === 'killed') return;
      this.sim.note(`${host.name} ${level}: ${message}`);
      // A link that is told of its rival ends at once; that its socket was let go comes too late for it.
      if (message.includes('dead letter: socket.released to connection/')) return;
      if (/unexpected event|defect|dead letter|threw|cannot go on/.test(message)) this.defects.push(message);
    };
    return { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };
  }

  /** A hub with a trainer that has begun, in one process; the one before is gone. */
  async begin(options: LifeOptions = {}): Promise<TrainingLife> {
    const life = await this.launch(options);
    await this.sim.settle(life.trainer.start(), 10_000);
    return life;
  }

  /** The same, and the trainer has not begun. */
  async launch(options: LifeOptions = {}): Promise<TrainingLife> {
    const { hub: hubOptions, through = (fleet: Fleet) => fleet, onRound, onEvent, ...given } = options;
    this.#lives += 1;
    const host = this.sim.host(`hub#${this.#lives}`);
    const { clock, random, listener } = host;
    const log = this.#log(host);
    const ports = { clock, random, listener, log, metrics: noMetrics };
    const store = await this.sim.settle(this.disk.open(host, log), 1_000);
    const quick = {
      heartbeatIntervalMs: 1_000,
      heartbeatTimeoutMs: 3_000,
      sessionGraceMs: 5_000,
      port: 7_070,
    };
    const hub = await this.sim.settle(startHub({ ...quick, ...hubOptions }, ports), 5_000);
    const fleet = new HubFleet(hub, 'trainer', { clock, random, log });
    const rounds: RoundReport[] = [];
    const events: TrainingLife['events'] = [];
    const trainer = createTrainerOver(
      {
        store,
        model: firstModel,
        rounds: 5,
        resume: true,
        ...given,
        onRound: (report) => {
          rounds.push(report);
          onRound?.(report);
        },
        onEvent: (event) => {
          events.push({ ...event, at: this.sim.now });
          onEvent?.(event);
        },
      },
      { fleet: through(fleet), clock, random, log, digest, closeFleet: () => fleet.close() },
    );
    const life: TrainingLife = {
      host,
      hub,
      store,
      trainer,
      rounds,
      events,
      outcome: undefined,
      failure: undefined,
    };
    this.life = life;
    trainer.done.then(
      (outcome) => (life.outcome = outcome),
      (error: unknown) => (life.failure = error),
    );
    return life;
  }

  /** As `kill -9`. */
  killHub(): void {
    this.life?.host.kill();
    this.life = undefined;
  }

  join(id: string, options: NodeTraining = {}): TrainingNode {
    const { trainMs = 20, times, ...training } = options;
    const birth = (this.#births.get(id) ?? 0) + 1;
    this.#births.set(id, birth);
    const host = this.sim.host(`${id}#${birth}`);
    const { clock, random, dialer } = host;
    const [syncs, tasks, refused]: [SyncRequest[], TrainRequest[], RefusedUpdate[]] = [[], [], []];
    const trainee = createTrainee(
      {
        train: async (task) => {
          const ms = typeof trainMs === 'number' ? trainMs : trainMs();
          await new Promise<void>((resolve) => void clock.setTimer(resolve, ms));
          return updateOf(id, task);
        },
        onRefused: (it) => void refused.push(it),
        ...training,
      },
      digest,
    );
    const noted = {
      ...trainee,
      [SYNC]: (facts: never, request: SyncRequest) => {
        syncs.push(request);
        return trainee[SYNC](facts, request);
      },
      [TRAIN]: (facts: never, request: TrainRequest) => {
        tasks.push(request);
        return trainee[TRAIN](facts, request);
      },
    };
    const functions = Object.fromEntries(
      Object.entries(noted).map(([name, fn]) => [
        name,
        withCall(fn as (facts: unknown, request: never) => unknown),
      ]),
    );
    const quick = { maxRetryAttempts: 0, reconnectIntervalMs: 50, reconnectMaxMs: 200, stableAfterMs: 1_000 };
    const beats = { heartbeatIntervalMs: 1_000, heartbeatTimeoutMs: 3_000 };
    const node = startNode(
      { hub: HUB_URL, id, functions, ...quick, ...beats, ...times },
      { clock, random, dialer, log: this.#log(host) },
    );
    const seat = { id, host, node, syncs, tasks, refused };
    this.nodes.set(id, seat);
    return seat;
  }

  killNode(id: string): void {
    this.nodes.get(id)?.host.kill();
    this.nodes.delete(id);
  }

  /** Goes on until training has ended. */
  async ended(life: TrainingLife, maxMs: number): Promise<TrainingOutcome> {
    await this.sim.runUntil(() => life.outcome !== undefined || life.failure !== undefined, maxMs);
    if (life.outcome === undefined) throw life.failure;
    return life.outcome;
  }
}
