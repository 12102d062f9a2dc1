// Model-based tests for any machine of XState v5.
// Invariant: re-exports only.
export { actorSut } from './actor-sut.ts';
export type { ActorSutOptions, ActorUnderTest } from './actor-sut.ts';
export { pairwise } from './cases.ts';
export type { Case, EventCases } from './cases.ts';
export { VirtualClock } from './clock.ts';
export { contractOptions } from './contract.ts';
export type { Coverage, Uncovered } from './coverage.ts';
export { describeModel } from './describe.ts';
export type { Described, DescribeOptions, Runner } from './describe.ts';
export type { CoverageCriterion, Goal, GoalKind } from './goals.ts';
export type { StateSerializer } from './graph.ts';
export { testFile } from './file.ts';
export type { TestFileOptions } from './file.ts';
export { createTestModel, TestModel } from './model.ts';
export type { Plan, TestModelOptions, TestPath } from './model.ts';
export { PathFailure } from './report.ts';
export type { Failure } from './run.ts';
export type { Scripts } from './scripts.ts';
export type { RunningDelay } from './stepper.ts';
export type { ExpectedStep, Move, Outcome, StepNotation, StepOf, TestStep } from './steps.ts';
export type { Executor, StateAssertion, StateMatcher, Sut, SutPath, TestParams } from './sut.ts';
