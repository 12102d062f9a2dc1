// The registry of machines: tests, checker, visualizer and docs iterate it.
import { callEffects, callExamples, callInput, callMachine } from './call.ts';
import { connectionEffects, connectionExamples, connectionInput, connectionMachine } from './connection.ts';
import { executionEffects, executionExamples, executionInput, executionMachine } from './execution.ts';
import { sessionEffects, sessionExamples, sessionInput, sessionMachine } from './session.ts';

export * from './call.ts';
export * from './connection.ts';
export * from './execution.ts';
export * from './session.ts';
export { backoffCeilingMs, backoffDelayMs, jitter } from './types.ts';
export type { Backoff, Context, EffectArgs, Effects, Unstamped } from './types.ts';

/** For each machine: the machine, the payloads of its effects, examples of its events, and an input to start it with. */
export const registry = {
  connection: {
    machine: connectionMachine,
    effects: connectionEffects,
    examples: connectionExamples,
    input: connectionInput,
  },
  session: {
    machine: sessionMachine,
    effects: sessionEffects,
    examples: sessionExamples,
    input: sessionInput,
  },
  call: { machine: callMachine, effects: callEffects, examples: callExamples, input: callInput },
  execution: {
    machine: executionMachine,
    effects: executionEffects,
    examples: executionExamples,
    input: executionInput,
  },
} as const;
