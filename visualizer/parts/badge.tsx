// A state as a coloured word.
// Invariant: the word carries the meaning; the colour only repeats it.
import { stateLabel } from '../stream/state-label.ts';
import { toneOf } from './tone.ts';

export interface StateBadgeProps {
  /** The state's path, or a word of its own. */
  readonly state: string;
  /** `path` where the states within a state matter; else its label, and the path where the pointer rests. @default 'label' */
  readonly shown?: 'label' | 'path';
}

export function StateBadge({ state, shown = 'label' }: StateBadgeProps) {
  const label = shown === 'path' ? state : stateLabel(state);
  return (
    <span className={`badge tone-${toneOf(state)}`} title={label === state ? undefined : state}>
      {label}
    </span>
  );
}
