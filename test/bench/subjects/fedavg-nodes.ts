// Some of the clients of the federated averaging benchmark, in one process: each is a node of its own, with its own link.
// Invariant: a client trains on its own digits only; the intervals that it reports hold its training and nothing else.

import { digitsFolder, readDigits } from '../../../src/demo/digits/digits.ts';
import { openNetwork } from '../../../src/demo/digits/network.ts';
import { seedFrom, shuffled } from '../../../src/demo/digits/seeded.ts';
import { createNode, trainable, type FleetNode } from '../../../src/index.ts';
import { serveRoles } from '../roles.ts';

export interface ClientsConfig {
  readonly hub: string;
  readonly hidden: readonly number[];
  readonly batchSize: number;
}

/** A client, and which of the digits it has. */
export interface Client {
  readonly id: string;
  readonly indices: Uint32Array;
}

/** Monotonic milliseconds, the same in every process of this machine. */
export type Interval = readonly [fromMs: number, toMs: number];

export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export interface TrainConfig {
  readonly learningRate: number;
  readonly seed: number;
}

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

async function startClients({ hub, hidden, batchSize }: ClientsConfig) {
  const folder = digitsFolder();
  if (folder === undefined) throw new Error('the digits are missing: npm ci');
  const digits = readDigits(folder, 'train');
  const network = await openNetwork({ hidden, batchSize });
  let intervals: Interval[] = [];
  // The clients of a process share one core: they train one after the other, as on machines of their own they would not wait.
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = turn.then(work);
    turn = mine.catch(() => undefined);
    return mine;
  };
  const nodes: FleetNode[] = [];
  const start = ({ id, indices }: Client): FleetNode =>
    createNode({
      hub,
      id,
      log: silent,
      functions: trainable({
        train: ({ round, weights, config, signal }) =>
          inTurn(async () => {
            const { learningRate, seed } = config as unknown as TrainConfig;
            const from = monotonicMs();
            const shuffle = shuffled(indices.length, seedFrom(seed, round, id));
            const order = Array.from(shuffle, (at) => indices[at] ?? 0);
            const trained = await network.train(weights, digits, { order, learningRate, signal });
            intervals.push([from, monotonicMs()]);
            return { weights: trained.weights, samples: order.length, metrics: { loss: trained.loss } };
          }),
      }),
    });
  return {
    commands: {
      join: (clients: readonly Client[]) => void nodes.push(...clients.map((client) => start(client))),
      /** Of training, since they were asked for last. */
      intervals: () => {
        const taken = intervals;
        intervals = [];
        return taken;
      },
      stop: async () => {
        await Promise.all(nodes.map((node) => node.stop()));
      },
    },
  };
}

await serveRoles({ clients: startClients });
