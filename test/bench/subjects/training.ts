// A real trainer with a store in a file, over nodes in this process or over a real fleet on loopback, and its times.
// Invariant: nodes spend no time on training; what they answer is as large as a real update.
import { join } from 'node:path';
import { createNodeClock } from '../../../src/adapters/node-clock.ts';
import { createNodeDigest } from '../../../src/adapters/node-digest.ts';
import { createNodeRandom } from '../../../src/adapters/node-random.ts';
import { HubFleet } from '../../../src/client/hub-fleet.ts';
import {
  createHub,
  createNode,
  noLog,
  openStore,
  trainable,
  type Fleet,
  type TraineeOptions,
  type Weights,
} from '../../../src/index.ts';
import { createTrainee } from '../../../src/training/trainee.ts';
import { createTrainerOver } from '../../../src/training/trainer.ts';
import { SYNC, TRAIN, type SyncRequest } from '../../../src/training/wire.ts';
import { serveRoles, startRole, type Role } from '../roles.ts';
import { median } from '../rows.ts';

export interface TrainingRequest {
  readonly kind: 'local' | 'fleet';
  readonly nodes: number;
  readonly rounds: number;
  readonly model: Weights;
  /** For the store. */
  readonly directory: string;
}

export interface TrainingTimes {
  /** From the last upload of a round to the first node that is sent the next model. */
  readonly tailMs: number;
  /** From one of these to the next. */
  readonly roundMs: number;
}

/** Answers the model that it was given, moved a little. */
const trainee = (k: number): TraineeOptions => ({
  train({ weights }) {
    const [first] = weights;
    if (first !== undefined) first.data[0] = (first.data[0] ?? 0) + k;
    return { weights, samples: 600 + k };
  },
});

interface OpenFleet {
  readonly fleet: Fleet;
  close(): Promise<void>;
}

/** No sockets: an answer is there as soon as it is made. */
function localFleet(nodes: number): OpenFleet {
  const digest = createNodeDigest();
  const all = new Map(
    Array.from({ length: nodes }, (_, k) => [
      `n${k}`,
      new Map(Object.entries(createTrainee(trainee(k), digest))),
    ]),
  );
  const fleet: Fleet = {
    watch(listener) {
      for (const [node, functions] of all) {
        const change = { node, instance: node, state: 'online', epoch: 1, labels: {} } as const;
        queueMicrotask(() => listener({ ...change, functions: [...functions.keys()] }));
      }
      return () => {};
    },
    call: async (node, name, args) => {
      const run = all.get(node)?.get(name) as ((...given: unknown[]) => unknown) | undefined;
      return run?.({ signal: new AbortController().signal }, ...args);
    },
  };
  return { fleet, close: async () => {} };
}

/** Nodes of one process: it has a processor to share with the hub, and some GiB of models. */
const NODES_IN_PROCESS = 25;

/** The hub is here, the nodes are in other processes. */
async function loopbackFleet(nodes: number): Promise<OpenFleet> {
  const log = noLog();
  const hub = await createHub({ port: 0, log });
  const roles: Role[] = [];
  for (let first = 0; first < nodes; first += NODES_IN_PROCESS) {
    const given = { url: hub.url, first, count: Math.min(NODES_IN_PROCESS, nodes - first) };
    roles.push(await startRole(new URL(import.meta.url), 'trainees', given));
  }
  const fleet = new HubFleet(hub, 'bench', { clock: createNodeClock(), random: createNodeRandom(), log });
  return {
    fleet,
    async close() {
      await fleet.close();
      await Promise.all(roles.map((role) => role.kill()));
      await hub.stop();
    },
  };
}

interface Trainees {
  readonly url: string;
  /** Number of the first of them. */
  readonly first: number;
  readonly count: number;
}

async function trainees({ url, first, count }: Trainees): Promise<object> {
  const nodes = Array.from({ length: count }, (_, at) => {
    const k = first + at;
    return createNode({ hub: url, id: `n${k}`, log: noLog(), functions: trainable(trainee(k)) });
  });
  await Promise.all(nodes.map((node) => node.ready()));
  return {};
}

export async function timeTraining(request: TrainingRequest): Promise<TrainingTimes> {
  const { kind, nodes, rounds, model, directory } = request;
  const log = noLog();
  const { fleet, close } = kind === 'local' ? localFleet(nodes) : await loopbackFleet(nodes);
  const store = await openStore(`file:${join(directory, `${kind}-${nodes}`)}`, { log });
  const times = new Times(nodes);
  const ports = { clock: createNodeClock(), random: createNodeRandom(), digest: createNodeDigest(), log };
  // Of the first round all is compiled, and the last one sends no model.
  const options = {
    store,
    model,
    rounds: rounds + 2,
    minNodes: nodes,
    gate: { minNodes: nodes },
    evaluateEvery: 0,
  };
  const trainer = createTrainerOver(options, { ...ports, fleet: times.over(fleet) });
  await trainer.start();
  const { end, reason } = await trainer.done;
  if (end !== 'completed') throw new Error(`training ended as ${end}: ${reason}`);
  await close();
  await store.close();
  return { tailMs: median(times.tailsMs.slice(1)), roundMs: median(times.roundsMs) };
}

class Times {
  readonly tailsMs: number[] = [];
  readonly roundsMs: number[] = [];
  readonly #nodes: number;
  #uploads = 0;
  #lastAt = 0;
  #sentAt: number | undefined;

  constructor(nodes: number) {
    this.#nodes = nodes;
  }

  over(fleet: Fleet): Fleet {
    return {
      watch: (listener) => fleet.watch(listener),
      call: async (node, name, args, options) => {
        if (name === SYNC && (args[0] as SyncRequest).weights !== undefined) this.#sends();
        const answer = await fleet.call(node, name, args, options);
        if (name === TRAIN) this.#came();
        return answer;
      },
    };
  }

  #came(): void {
    this.#uploads += 1;
    if (this.#uploads === this.#nodes) this.#lastAt = performance.now();
  }

  #sends(): void {
    if (this.#uploads < this.#nodes) return;
    this.#uploads = 0;
    const now = performance.now();
    this.tailsMs.push(now - this.#lastAt);
    if (this.#sentAt !== undefined) this.roundsMs.push(now - this.#sentAt);
    this.#sentAt = now;
  }
}

await serveRoles({ trainees });
