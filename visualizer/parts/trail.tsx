// The states that an actor went through, the latest last, each a tick of its colour.
// Invariant: its label says the states in words, in order.
import { memo } from 'react';
import type { Stay } from '../stream/model.ts';
import { toneOf } from './tone.ts';

const SHOWN = 10;

export const Trail = memo(({ trail }: { readonly trail: readonly Stay[] }) => {
  const shown = trail.slice(-SHOWN);
  const words = shown.map(({ label }) => label).join(' → ');
  return (
    <svg className="trail" width={SHOWN * 9} height="14" role="img" aria-label={words}>
      <title>{words}</title>
      {shown.map(({ label, at }, index) => (
        <rect
          key={`${at} ${label}`}
          x={index * 9}
          width="7"
          height="14"
          rx="2"
          className={`tick tone-${toneOf(label)}`}
        />
      ))}
    </svg>
  );
});
