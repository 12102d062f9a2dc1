// Systems under test that are wrong in one place: the machine itself, run for real, its config changed there.
// Invariant: the model is made of the machine as it is; only the system runs the changed one.
import { createMachine, type AnyStateMachine } from 'xstate';
import {
  actorSut,
  createTestModel,
  PathFailure,
  type Sut,
  type TestModelOptions,
} from '../../../../src/testing/index.ts';

type Config = Record<string, unknown>;

/** The machine with what stands at `path` in its config replaced; undefined takes it away. */
export function broken(machine: AnyStateMachine, path: string, value: unknown): AnyStateMachine {
  const keys = path.split('/');
  const changed = (config: Config, at: number): Config => {
    const key = keys[at] as string;
    if (!(key in config)) throw new Error(`there is no ${path} in ${machine.id}`);
    const inner = at === keys.length - 1 ? value : changed(config[key] as Config, at + 1);
    return Array.isArray(config)
      ? (config.map((old, i) => (i === Number(key) ? inner : old)) as unknown as Config)
      : { ...config, [key]: inner };
  };
  return createMachine(changed(machine.config as Config, 0) as never, machine.implementations as never);
}

/** Runs every path; answers the failures. */
export async function failures<I>(
  machine: AnyStateMachine,
  sut: Sut<I>,
  options: TestModelOptions = {},
): Promise<PathFailure[]> {
  const model = createTestModel(machine, options);
  const found: PathFailure[] = [];
  for (const path of model.getPaths()) {
    try {
      await model.testPath(path, sut);
    } catch (error) {
      if (!(error instanceof PathFailure)) throw error;
      found.push(error);
    }
  }
  return found;
}

/** The machine as its own system under test, broken at a place of its config. */
export const runBroken = (
  machine: AnyStateMachine,
  path: string,
  value: unknown,
  options: TestModelOptions = {},
): Promise<PathFailure[]> =>
  failures(machine, actorSut(broken(machine, path, value), { input: options.input }), options);
