// What training is made of, as its users and its parts see it: weights, updates, strategies, and the fleet that it asks.
// Invariant: types only, nothing here runs.

/** One array of a model. `data.length` is the product of `shape`; a scalar has the shape `[]`. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | Float64Array;
}

/** A model: its tensors, in an order that never changes. */
export type Weights = readonly Tensor[];

/** Plain numbers that a node reports beside its update (`loss`, `accuracy`), averaged over samples. */
export type TrainingMetrics = Readonly<Record<string, number>>;

/** Sent to nodes with each request, as JSON: the trainer's `config`, and what its strategy adds. */
export type TrainingConfig = Readonly<Record<string, unknown>>;

/** What a node is asked. */
export interface TrainingTask {
  /** From 1. */
  readonly round: number;
  /** They belong to the function: it may write into them. */
  readonly weights: Weights;
  readonly config: TrainingConfig;
  /** Aborted when the round ends without this node, or the node's link is given up. */
  readonly signal: AbortSignal;
}

/** What a node answers: new weights, or their difference from those it was given, and from how many samples (at least 1). */
export type TrainingUpdate = { readonly samples: number; readonly metrics?: TrainingMetrics } & (
  | { readonly weights: Weights; readonly delta?: undefined }
  | { readonly delta: Weights; readonly weights?: undefined }
);

export interface Evaluation {
  readonly samples: number;
  readonly metrics: TrainingMetrics;
}

/** What a node brings to take part. */
export interface TraineeOptions {
  train(task: TrainingTask): TrainingUpdate | Promise<TrainingUpdate>;
  /** On the node's own data. @default none: nodes are not asked */
  evaluate?(task: TrainingTask): Evaluation | Promise<Evaluation>;
}

/** An update that was accepted: always weights, checked against the model's shapes. */
export interface AcceptedUpdate {
  readonly node: string;
  readonly weights: Weights;
  readonly samples: number;
  readonly metrics: TrainingMetrics;
}

export interface AggregationInput {
  readonly round: number;
  /** The model that the nodes were given. */
  readonly weights: Weights;
  /** What `aggregate` answered in the round before as `state`; `[]` at first. */
  readonly state: Weights;
  /** In the order of node ids (by code units), so that results do not depend on arrival. At least one. */
  readonly updates: readonly AcceptedUpdate[];
}

export interface Aggregated {
  readonly weights: Weights;
  /** Moments and the like: goes into the checkpoint, and back into the next `aggregate`. */
  readonly state: Weights;
}

/** It must be a pure function of its input: a replay has to be equal bit for bit. */
export interface Aggregate {
  (input: AggregationInput): Aggregated;
  /**
   * The same, which yields every few milliseconds: a trainer lets the event loop turn there, so that heartbeats and calls do not
   * wait for a large model. @default none: it is done in one stretch
   */
  readonly inSlices?: (input: AggregationInput) => Generator<void, Aggregated, void>;
}

/** How updates become the next model. */
export interface Strategy {
  readonly name: string;
  /** What nodes need to know of it, added to their `config`. @default nothing */
  configure?(round: number): TrainingConfig;
  readonly aggregate: Aggregate;
}

/** One node, as training sees it. Changes come in order; `gone` is the last of an instance, unless the hub was told to forget it. */
export interface NodeChange {
  readonly node: string;
  /** Of its process. */
  readonly instance: string;
  /** `online`: registered, synced, reachable. `away`: its link broke, and it may come back. `gone`: it will not. */
  readonly state: 'online' | 'away' | 'gone';
  /** Grows with each time that the node comes online. */
  readonly epoch: number;
  readonly functions: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

export interface FleetCallOptions {
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
  /** Of the arguments or the answer, whichever is more, as far as is known: large calls are spread over links. @default 0 */
  readonly bytes?: number;
}

/** The fleet that is to be trained. */
export interface Fleet {
  /** Tells of all nodes that are there, then of each change. Returns the function that ends it. */
  watch(listener: (change: NodeChange) => void): () => void;
  /** Calls a function on this node and no other. Rejects with the HoldfastErrors of calls. */
  call(node: string, name: string, args: readonly unknown[], options: FleetCallOptions): Promise<unknown>;
}
