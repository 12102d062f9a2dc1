// The machines of the registry, for tests that walk all of them.
// Invariant: the very objects; only their types are widened.
import type { AnyStateMachine } from 'xstate';
import { registry } from '../../../machines/index.ts';

export const ours = Object.entries(registry).map(([name, { machine, examples, input }]) => ({
  name,
  machine: machine as unknown as AnyStateMachine,
  examples: examples as readonly { type: string }[],
  input: input as unknown,
}));
