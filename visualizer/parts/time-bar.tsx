// The time line: live, or any moment that is still kept; a step of the stream back and forth.
// Invariant: the moment is in the address, so that a link to it shows the same.
import { memo, useMemo } from 'react';
import type { Model } from '../stream/model.ts';
import type { Watch } from '../stream/watch.ts';
import type { ViewProps } from '../view.ts';
import { useSlowly, type Moment } from './moment.ts';
import { durationText, momentText } from './words.ts';

export interface TimeBarProps {
  readonly model: Model;
  readonly watch: Watch;
  readonly at: number | undefined;
  readonly state: Moment['state'];
  readonly go: ViewProps['go'];
}

const BUCKETS = 160;

export function TimeBar({ model, watch, at, state, go }: TimeBarProps) {
  // The line grows all the time; five times a second is often enough to see it.
  const slow = useSlowly(model, 200, 'live');
  const { from, to } = watch.timeline;
  const known = !Number.isNaN(from);
  const shown = at ?? to;
  const step = (side: 'before' | 'after'): void => {
    watch.neighbour(shown, side, new AbortController().signal).then(
      (next) => (next === undefined ? undefined : go({ at: next }, 'replace')),
      () => undefined,
    );
  };
  const keep = (next: number): void => go({ at: Math.min(Math.max(next, from), to) }, 'replace');
  const label = known ? momentText(shown, model.began) : '';
  return (
    <section className="time-bar" aria-label="Time" data-moment={at === undefined ? 'present' : 'past'}>
      <button
        type="button"
        className="live"
        aria-pressed={at === undefined}
        onClick={() => go({ at: undefined })}
        disabled={!known}
      >
        {watch.recording === undefined ? 'Live' : 'End'}
      </button>
      <button
        type="button"
        className="quiet"
        aria-label="Step before"
        disabled={!known}
        onClick={() => step('before')}
      >
        <Arrow to="before" />
      </button>
      <button
        type="button"
        className="quiet"
        aria-label="Step after"
        disabled={at === undefined}
        onClick={() => step('after')}
      >
        <Arrow to="after" />
      </button>
      <div className="time-line">
        <Histogram watch={watch} version={slow.version} />
        <input
          type="range"
          aria-label="Moment"
          aria-valuetext={label}
          min={known ? from : 0}
          max={known ? to : 1}
          step="any"
          value={known ? shown : 1}
          disabled={!known}
          onChange={(event) => keep(Math.round(Number(event.target.value)))}
        />
      </div>
      <output className="moment" aria-busy={state === 'looking'}>
        <span className="moment-time">{label}</span>
        <span className="soft">{momentNote(at, from, to)}</span>
      </output>
    </section>
  );
}

function momentNote(at: number | undefined, from: number, to: number): string {
  if (Number.isNaN(from)) return 'nothing yet';
  return at === undefined ? `${durationText(to - from)} kept` : `${durationText(to - at)} before the end`;
}

function Arrow({ to }: { readonly to: 'before' | 'after' }) {
  const path = to === 'before' ? 'M11 3 5 8l6 5zM4 3v10' : 'M5 3l6 5-6 5zM12 3v10';
  return (
    <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" className="icon">
      <path d={path} />
    </svg>
  );
}

/** How busy each part of the time line was. */
const Histogram = memo(({ watch, version }: { readonly watch: Watch; readonly version: number }) => {
  const path = useMemo(() => histogramPath(watch, version), [watch, version]);
  return (
    <svg className="histogram" viewBox={`0 0 ${BUCKETS} 1`} preserveAspectRatio="none" aria-hidden="true">
      <path d={path} />
    </svg>
  );
});

function histogramPath({ timeline }: Watch, version: number): string {
  const { from, to, perSecond } = timeline;
  if (version === 0 || !(to > from)) return '';
  const counts = Array.from({ length: BUCKETS }, () => 0);
  // A second may be wider than a bucket: it then fills all that it covers.
  const width = (to - from) / BUCKETS;
  for (const [second, count] of perSecond) {
    const first = Math.max(0, Math.floor((second * 1_000 - from) / width));
    const last = Math.min(BUCKETS - 1, Math.max(first, Math.floor((second * 1_000 + 999 - from) / width)));
    for (let bucket = first; bucket <= last; bucket += 1) counts[bucket] = (counts[bucket] ?? 0) + count;
  }
  const most = Math.max(1, ...counts);
  return counts
    .map((count, index) => {
      const height = count === 0 ? 0 : 0.08 + 0.92 * Math.sqrt(count / most);
      return `M${index} 1V${(1 - height).toFixed(3)}h1V1z`;
    })
    .join('');
}
