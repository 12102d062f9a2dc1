// The actor system's public face.
// Invariant: re-exports only.
export type {
  Actor,
  ActorStatus,
  EffectOptions,
  Ending,
  SpawnOptions,
  Supervision,
  Transition,
} from './actor.ts';
export type { InspectionRecord, LiveActor, WatchRecord } from './inspection.ts';
export { recordTransitions } from './transition-records.ts';
export { inspectTransitions, type InspectorOptions } from './xstate-records.ts';
export { statePath } from '../engine/state-path.ts';
export { createSystem } from './system.ts';
export type { System, SystemOptions } from './system.ts';
