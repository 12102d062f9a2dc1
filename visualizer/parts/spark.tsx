// A small line of how a number went.
// Invariant: decoration: the number itself stands beside it.
import { memo } from 'react';
import type { Series } from '../stream/trends.ts';

export interface SparkProps {
  readonly series: Series;
  readonly width: number;
  readonly height: number;
}

export const Spark = memo(
  ({ series, width, height }: SparkProps) => (
    <svg
      className="spark"
      viewBox={`0 0 ${width} ${height}`}
      width={width}
      height={height}
      aria-hidden="true"
    >
      <path d={sparkPath(series, width, height)} />
    </svg>
  ),
  (a, b) => a.series.at.length === b.series.at.length && a.series.at.at(-1) === b.series.at.at(-1),
);

function sparkPath({ at, value }: Series, width: number, height: number): string {
  const first = at[0];
  const last = at.at(-1);
  if (first === undefined || last === undefined || last <= first) return '';
  const most = Math.max(1e-9, ...value);
  return value
    .map((it, index) => {
      const x = (((at[index] ?? first) - first) / (last - first)) * width;
      const y = height - 1 - (it / most) * (height - 2);
      return `${index === 0 ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`;
    })
    .join('');
}
