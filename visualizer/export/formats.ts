// The texts that a machine can be copied as.
// Invariant: the same as `holdfast export` writes for the same machine.
import type { AnyStateMachine } from 'xstate';
import { registry } from '../../machines/index.ts';
import { bareMachine } from '../../src/inspect/chart.ts';
import {
  toDocument,
  toDot,
  toJson,
  toMermaid,
  toScxml,
  toStately,
  type DocumentOptions,
  type MachineDocument,
} from '../../src/inspect/index.ts';

export interface Format {
  readonly name: string;
  readonly ending: string;
  readonly hint: string;
  readonly write: (machine: AnyStateMachine, options: DocumentOptions) => string;
}

export const formats: readonly Format[] = [
  {
    name: 'Stately',
    ending: 'ts',
    hint: 'One literal file: paste it into Stately Studio.',
    write: toStately,
  },
  { name: 'Mermaid', ending: 'mmd', hint: 'A state diagram, as GitHub shows it.', write: toMermaid },
  { name: 'SCXML', ending: 'scxml', hint: 'SCXML 1.0 of the W3C.', write: toScxml },
  { name: 'DOT', ending: 'dot', hint: 'For Graphviz: dot -Tsvg.', write: toDot },
  { name: 'JSON', ending: 'json', hint: 'The config, everything by name.', write: toJson },
];

/** Ours are written from the machine itself, which knows its delays; those of others from what they said of themselves. */
export function machineOf(document: MachineDocument): {
  readonly machine: AnyStateMachine;
  readonly options: DocumentOptions;
} {
  const own = Object.values(registry).find(({ machine }) => machine.id === document.id);
  if (own !== undefined) {
    const { input } = own;
    const machine = own.machine as unknown as AnyStateMachine;
    const { context: _own, ...shape } = toDocument(machine, { input }).document;
    const { context: _said, ...said } = document;
    if (JSON.stringify(shape) === JSON.stringify(said)) return { machine, options: { input } };
  }
  return { machine: bareMachine(document), options: {} };
}
