// The explicit-state model checker: what `holdfast/testing` exports of it.
export type { ActorView } from './actor-view.ts';
export { check, createSearch } from './check.ts';
export type {
  ConsistencyTester,
  HistoryViolation,
  SequentialResult,
  SequentialSpec,
  Verdict,
} from './consistency.ts';
export { defineSystem } from './definition.ts';
export type { EpochFamily } from './epochs.ts';
export type { Change, CounterexampleStep, Exchange, Violation } from './explain.ts';
export { historyActor, type History, type HistoryCall, type HistoryEvent } from './history.ts';
export { recordHistory, type HistoryRecorder, type HistoryRecorderOptions } from './history-recorder.ts';
export { linearizability } from './linearizability.ts';
export type {
  CheckOptions,
  CheckResult,
  LeadsTo,
  Predicate,
  Predicates,
  Progress,
  Search,
} from './options.ts';
export { inNameOrder, type Symmetry } from './renaming.ts';
export { replay, type Divergence, type Replay } from './replay.ts';
export { sequentialConsistency } from './sequential-consistency.ts';
export { toMermaidSequence } from './sequence-diagram.ts';
export { sockets, type Dial, type Heard, type SocketsOptions } from './sockets.ts';
export { model } from './system.ts';
export type {
  Action,
  Channel,
  Choice,
  MachineActor,
  Message,
  ModelActor,
  Output,
  SystemDefinition,
} from './system.ts';
export { parseTrace, toTrace, type Trace, type TraceStep } from './trace.ts';
export { toVitest, type VitestOptions } from './trace-test.ts';
export type { View } from './view.ts';
