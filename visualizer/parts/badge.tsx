// A state as a coloured word.
// Invariant: the word carries the meaning; the colour only repeats it.
import { toneOf } from './tone.ts';

export function StateBadge({ state }: { readonly state: string }) {
  return <span className={`badge tone-${toneOf(state)}`}>{state}</span>;
}
