// The run again, without fleet and without faults: what must come of the same participants in the same rounds.
// Invariant: knows of the run only who took part in which round.
import { fedAvg, type AcceptedUpdate, type Weights } from '../../index.ts';
import { createLearner, initialModel, NODES, openDemoNetwork } from './job.ts';

export interface ReplayOptions {
  /** Folder of the digits. */
  readonly digits: string;
  /** Of each round, from the first on. */
  readonly participants: readonly (readonly string[])[];
  readonly signal: AbortSignal;
  /** After each round. */
  done(round: number): void;
}

/** Rejects when the signal is aborted. */
export async function replay({ digits, participants, signal, done }: ReplayOptions): Promise<Weights> {
  const network = await openDemoNetwork();
  const learners = new Map(NODES.map((node) => [node, createLearner(network, digits, node)]));
  const strategy = fedAvg();
  let weights = initialModel(network);
  let state: Weights = [];
  for (const [i, nodes] of participants.entries()) {
    const round = i + 1;
    const updates: AcceptedUpdate[] = [];
    for (const node of nodes.toSorted((a, b) => (a < b ? -1 : 1))) {
      const update = await learners.get(node)?.({ round, weights, signal });
      if (update === undefined) throw new Error(`there is no ${node}, which is said to have taken part`);
      updates.push({ node, weights: update.weights, samples: update.samples, metrics: update.metrics ?? {} });
    }
    ({ weights, state } = strategy.aggregate({ round, weights, state, updates }));
    done(round);
  }
  return weights;
}
