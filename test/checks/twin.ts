// Broken twins: the machine of production with one patch.
// Invariant: everything but the patch is production's own, never a copy.
import { createMachine, type AnyStateMachine } from 'xstate';

/** The machine of production with one patch to its config: a broken twin, never a copy. */
export function twin(machine: AnyStateMachine, patch: (config: PatchableConfig) => void): AnyStateMachine {
  const config = JSON.parse(JSON.stringify(machine.config)) as PatchableConfig;
  patch(config);
  return createMachine(
    { ...config, context: machine.config.context } as never,
    machine.implementations as never,
  ) as AnyStateMachine;
}

/** As much of a machine's config as patches touch. */
export interface PatchableConfig {
  states: Record<string, PatchableConfig>;
  on: Record<string, unknown>;
  after: Record<string, unknown>;
  entry: unknown;
}
