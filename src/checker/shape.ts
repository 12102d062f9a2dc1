// The shape of what people write, looked at where TypeScript may not have: a misspelt field that is passed over in silence
// would be a property that nobody checks.
// Invariant: looks only; what is right passes unchanged.
import type { Output } from './system.ts';

const OUTPUTS = ['tell', 'send', 'later', 'start', 'stop', 'clear'];

export function whatIs(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** @throws Error for a field of `it` that is not among those of `known` */
export function refuseUnknown(what: string, it: object, known: object): void {
  const unknown = Object.keys(it).find((field) => !Object.hasOwn(known, field));
  if (unknown === undefined) return;
  throw new Error(`${what} has no field '${unknown}'; it has ${Object.keys(known).join(', ')}`);
}

/** @throws Error when what `saidBy` leads to is no list of outputs */
export function refuseOutputs(outputs: unknown, saidBy: string): asserts outputs is readonly Output[] {
  if (!Array.isArray(outputs))
    throw new Error(`what ${saidBy} leads to is ${whatIs(outputs)}; give a list of outputs, [] for nothing`);
  for (const output of outputs as readonly unknown[]) {
    const kinds = isObject(output) ? OUTPUTS.filter((kind) => kind in output) : [];
    if (!isObject(output) || kinds.length !== 1) {
      const found = isObject(output) ? `{ ${Object.keys(output).join(', ')} }` : whatIs(output);
      throw new Error(`${saidBy} leads to ${found}; an output has one of ${OUTPUTS.join(', ')}`);
    }
    if ('tell' in output) refuseMessage(output['event'], `the event that ${saidBy} tells`);
    if ('send' in output) refuseMessage(output['send'], `what ${saidBy} sends`);
  }
}

/** @throws Error when it is no event */
export function refuseMessage(message: unknown, what: string): void {
  if (isObject(message) && typeof message['type'] === 'string') return;
  throw new Error(`${what} is ${whatIs(message)}, no event; write { type: 'name' }`);
}
