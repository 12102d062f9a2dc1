// Options for machines that keep Holdfast's contract: context in `control` and `ledger`, epochs that fence, examples of events.
// Invariant: only epochs are left out of the key of a state; events of the past and of the future are tried everywhere.
import type { AnyMachineSnapshot, EventObject } from 'xstate';
import type { TestModelOptions } from './model.ts';

interface Fenced {
  readonly input: unknown;
  readonly examples: readonly EventObject[];
}

const isEpoch = (name: string): boolean => name === 'epoch' || name.endsWith('Epoch');

const controlOf = ({ context }: AnyMachineSnapshot): Readonly<Record<string, unknown>> =>
  (context as { readonly control: Readonly<Record<string, unknown>> }).control;

/** The example as of now, of the past and of the future, and with each further epoch alone in the past. */
function inEveryAge(example: EventObject, control: Readonly<Record<string, unknown>>): EventObject[] {
  const names = Object.keys(example).filter((name) => isEpoch(name) && typeof control[name] === 'number');
  if (names.length === 0) return [example];
  const aged = (shifts: Readonly<Record<string, number>>): EventObject => {
    const epochs = names.map((name) => [name, (control[name] as number) + (shifts[name] ?? 0)] as const);
    return { ...example, ...Object.fromEntries(epochs) };
  };
  const all = (shift: number): Record<string, number> =>
    Object.fromEntries(names.map((name) => [name, shift]));
  const alone = names.filter((name) => name !== 'epoch').map((name) => aged({ [name]: -1 }));
  return [aged({}), aged(all(-1)), ...(names.length > 1 ? alone : []), aged(all(1))];
}

/** `createTestModel(connectionMachine, contractOptions({ input: connectionInput, examples: connectionExamples }))` */
export function contractOptions({ input, examples }: Fenced): TestModelOptions {
  return {
    input,
    events: (snapshot) => examples.flatMap((example) => inEveryAge(example, controlOf(snapshot))),
    serializeState(snapshot, delays) {
      const key = [snapshot.value, controlOf(snapshot), delays.map(({ name }) => name)];
      return JSON.stringify(key, (name, value: unknown) => (isEpoch(name) ? undefined : value));
    },
  };
}
