// A machine as JSON: its document, as text.
// Invariant: the same machine gives the same text, byte for byte.
import type { AnyStateMachine } from 'xstate';
import { toDocument, type DocumentOptions } from './document.ts';

/**
 * The JSON text of a `MachineDocument`. It reads back as a machine with
 * `createMachine(JSON.parse(text)).provide(toDocument(machine).implementations)`.
 */
export function toJson(machine: AnyStateMachine, options: DocumentOptions = {}): string {
  return `${JSON.stringify(toDocument(machine, options).document, undefined, 2)}\n`;
}
