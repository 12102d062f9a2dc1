// What a training run keeps in the store, as a person can read it: JSON under /holdfast/training/<run>/, and pieces of bytes.
// Invariant: durations and counts, never a point in time.
import { z } from 'zod';

const count = z.int().min(0);
const metrics = z.record(z.string(), z.number());
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** Which checkpoint holds, and where its bytes are. */
export const checkpointRecord = z.object({
  format: z.literal(1),
  /** That was committed last; 0 is the model that training began with. */
  round: count,
  /** Of the attempt that committed it. */
  epoch: count,
  strategy: z.string(),
  /** From which participants are chosen, with round and epoch. */
  seed: z.int(),
  /** Nodes that took part in training then. */
  members: z.array(z.string()),
  /** Hash of the model. */
  model: sha256,
  /** Hash of the strategy's state. */
  state: sha256,
  /** Prefix of the keys of its pieces, which are numbered from 0. */
  place: z.string(),
  /** Of all pieces together: the model, then the state. */
  bytes: count,
  modelBytes: count,
  /** Bytes of earlier checkpoints that the store's history still holds, as far as is known. */
  supersededBytes: count,
});

export type CheckpointRecord = z.infer<typeof checkpointRecord>;

/** How a round went. */
export const roundRecord = z.object({
  round: z.int().min(1),
  /** Of the attempt that was committed. */
  epoch: count,
  /** Attempts that were abandoned before it. */
  abandoned: count,
  /** Nodes that were asked; of those, how many answered in time, were refused, came late, and were lost. */
  asked: count,
  answered: count,
  refused: count,
  late: count,
  lost: count,
  /** Of the attempt that was committed, in milliseconds. */
  durationMs: z.number().min(0),
  /** That the updates were made from. */
  samples: count,
  /** Nodes whose updates are in the model. */
  participants: z.array(z.string()),
  /** Hash of the model that came of it. */
  model: sha256,
  /** What nodes reported beside their updates, averaged over samples. */
  metrics,
  /** Of the model that came of it; empty where it was not evaluated. */
  evaluation: metrics,
});

export type RoundRecord = z.infer<typeof roundRecord>;

/** How much of the gate's budget is spent. */
export const budgetRecord = z.object({ consumedMs: z.number().min(0), state: z.string() });

export type BudgetRecord = z.infer<typeof budgetRecord>;

/** The run's id is one segment, whatever it is. */
const runPrefix = (run: string): string => `/holdfast/training/${encodeURIComponent(run)}/`;
export const checkpointKey = (run: string): string => `${runPrefix(run)}checkpoint`;
export const piecesPrefix = (run: string): string => `${runPrefix(run)}checkpoint/`;
export const budgetKey = (run: string): string => `${runPrefix(run)}budget`;
export const roundsPrefix = (run: string): string => `${runPrefix(run)}rounds/`;
/** In the order of rounds. */
export const roundKey = (run: string, round: number): string =>
  `${roundsPrefix(run)}${String(round).padStart(10, '0')}`;
