// The engine: machines as values, tied to performers, or compiled into tables.
// Invariant: pure; nothing in this folder knows time, randomness or I/O.
export { compile, recordEffects } from './compile.ts';
export type { CompiledActor, CompiledMachine } from './compile.ts';
export { bindPerformers, drive } from './drive.ts';
export { createStepper, delayName } from './step.ts';
export type { Effect, Step, Stepper } from './step.ts';
export { HANDLED, IGNORED, MAX_WAITING_EVENTS, UNEXPECTED } from './table.ts';
export type { Verdict } from './table.ts';
