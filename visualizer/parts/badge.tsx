// A state as a coloured word.
// Invariant: the word carries the meaning; the colour only repeats it.
import { stateLabel } from '../stream/state-label.ts';
import { toneOf } from './tone.ts';

/** `state`: its path, or a word of its own. The whole path is told where the pointer rests. */
export function StateBadge({ state }: { readonly state: string }) {
  const label = stateLabel(state);
  return (
    <span className={`badge tone-${toneOf(state)}`} title={label === state ? undefined : state}>
      {label}
    </span>
  );
}
