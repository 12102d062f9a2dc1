// Public helpers for tests: an in-memory fleet.
// Invariant: re-exports only.
export type { Host } from './host.ts';
export type { LinkInfo } from './link.ts';
export type { LinkFilter, Network, NetworkOptions } from './network.ts';
export { Prng } from './prng.ts';
export { createSimulation } from './simulation.ts';
export type { LogEntry, Simulation, SimulationOptions } from './simulation.ts';
export * from '../checker/index.ts';
export type { AnyDurable, Durable, Exploration } from '../engine/durable.ts';
export { checkUpgrade, type FailedRecord, type Upgrade, type UpgradeOptions } from '../engine/upgrade.ts';
export { conform, LogCheck } from '../engine/conform.ts';
export type { Conformance, ConformOptions, Gap, Impossible, LateDelay } from '../engine/conform.ts';
export type { TransitionRecord } from '../engine/transition-record.ts';
export * from './model/index.ts';
