// A document of a machine that nobody defined: put together from the states that were seen.
// Invariant: every state that was seen is in it; states that nobody was in, and transitions, are not known.
import type { MachineDocument, StateDocument } from './document.ts';
import type { StateValue } from '../protocol/inspection.ts';

/** The document with the states of the value; the same one when they are there already. */
export function withState(document: MachineDocument, value: StateValue): MachineDocument {
  const seen = grown(document, value);
  return seen === document ? document : { ...seen, id: document.id };
}

/** The state that is seen first counts as the initial one; several at a time are regions. */
function grown(document: StateDocument, value: StateValue): StateDocument {
  const parts = typeof value === 'string' ? { [value]: undefined } : value;
  const names = Object.keys(parts);
  const states: Record<string, StateDocument> = { ...document.states };
  let changed = names.some((name) => !Object.hasOwn(states, name));
  for (const [name, inner] of Object.entries(parts)) {
    const known = states[name] ?? {};
    const below = inner === undefined ? known : grown(known, inner);
    changed ||= below !== known;
    states[name] = below;
  }
  if (!changed) return document;
  const kind =
    names.length > 1 ? { type: 'parallel' as const } : { initial: document.initial ?? names[0] ?? '' };
  return { ...document, ...kind, states };
}
