// The registry of machines: tests, checker, visualizer and docs iterate it.
import { callEffects, callExamples, callInput, callMachine } from './call.ts';
import { connectionEffects, connectionExamples, connectionInput, connectionMachine } from './connection.ts';
import { endpointEffects, endpointExamples, endpointInput, endpointMachine } from './endpoint.ts';
import { executionEffects, executionExamples, executionInput, executionMachine } from './execution.ts';
import {
  failureQueueEffects,
  failureQueueExamples,
  failureQueueInput,
  failureQueueMachine,
} from './failure-queue.ts';
import { gateEffects, gateExamples, gateInput, gateMachine } from './gate.ts';
import { keepaliveEffects, keepaliveExamples, keepaliveInput, keepaliveMachine } from './keepalive.ts';
import { leaseEffects, leaseExamples, leaseInput, leaseMachine } from './lease.ts';
import { proposalEffects, proposalExamples, proposalInput, proposalMachine } from './proposal.ts';
import { roundEffects, roundExamples, roundInput, roundMachine } from './round.ts';
import { sessionEffects, sessionExamples, sessionInput, sessionMachine } from './session.ts';
import { watchEffects, watchExamples, watchInput, watchMachine } from './watch.ts';

export * from './call.ts';
export * from './connection.ts';
export * from './endpoint.ts';
export * from './execution.ts';
export * from './failure-queue.ts';
export * from './gate.ts';
export * from './keepalive.ts';
export * from './lease.ts';
export * from './proposal.ts';
export * from './round.ts';
export * from './session.ts';
export * from './watch.ts';
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
  proposal: {
    machine: proposalMachine,
    effects: proposalEffects,
    examples: proposalExamples,
    input: proposalInput,
  },
  watch: { machine: watchMachine, effects: watchEffects, examples: watchExamples, input: watchInput },
  lease: { machine: leaseMachine, effects: leaseEffects, examples: leaseExamples, input: leaseInput },
  keepalive: {
    machine: keepaliveMachine,
    effects: keepaliveEffects,
    examples: keepaliveExamples,
    input: keepaliveInput,
  },
  gate: { machine: gateMachine, effects: gateEffects, examples: gateExamples, input: gateInput },
  round: { machine: roundMachine, effects: roundEffects, examples: roundExamples, input: roundInput },
  endpoint: {
    machine: endpointMachine,
    effects: endpointEffects,
    examples: endpointExamples,
    input: endpointInput,
  },
  'failure-queue': {
    machine: failureQueueMachine,
    effects: failureQueueEffects,
    examples: failureQueueExamples,
    input: failureQueueInput,
  },
} as const;
